/** The tenant of a fresh installation, and the only one until there are people to belong to others. */
export const TENANT = 'default';
