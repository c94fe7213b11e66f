import { base62, type RandomBytes } from '@sallyport/contracts';

const MIN_LENGTH = 24;
const MIN_DISTINCT = 8;
/** What examples and habits consist of; a token of nothing else is known to everybody. */
const WORDS =
  /change|me|replace|this|your|my|the|please|admin|administrator|root|user|pass|word|passwd|secret|token|key|api|default|example|placeholder|sample|test|demo|dev|local|sallyport|gateway|qwerty|letmein|abc/g;

/**
 * Why a configured admin token cannot be used; undefined: it can. It must fit into `Authorization: Bearer` (RFC 6750
 * §2.1), be long, and not be made of the words that examples are made of.
 */
export function adminTokenProblem(token: string): string | undefined {
  if (token.length < MIN_LENGTH) return `expected at least ${MIN_LENGTH} characters`;
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return 'expected letters, digits and - . _ ~ + / only';
  const rest = token
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/0?123456789?0?|(.)\1{3,}/g, '')
    .replace(WORDS, '');
  return new Set(rest).size < MIN_DISTINCT ? 'is a default or an example: expected random text' : undefined;
}

/** 256 random bits; the prefix lets log filters and scanners tell it, and no API key begins so. */
export function drawAdminToken(random: RandomBytes): string {
  return `sp_admin_${base62(random(32), 43)}`;
}
