import type { Auth } from '../../core/outbound.ts';

/** `Authorization: Bearer <credential>`. */
export const bearer: Auth = { type: 'bearer' };
