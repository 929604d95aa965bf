import * as z from 'zod';
import { anyObject } from './parts.ts';

export const openApiSchema = anyObject.meta({ description: 'An OpenAPI 3.1 document.' });
export const pageSchema = z.string().meta({ description: 'A page that loads nothing else.' });
export const metricsSchema = z.string().meta({ description: 'Samples, a line each.' });
