/** Names of providers and workflows: they stand in paths, allow-lists and metric labels. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
