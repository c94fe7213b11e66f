/**
 * Providers an account can name without an address: the built-in one, which has none, and those whose one public address
 * everybody knows. An account's own `baseUrl` always wins.
 */
const addresses: ReadonlyMap<string, string | null> = new Map([
  ['echo', null],
  ['openai', 'https://api.openai.com/v1'],
]);

/** @returns the address, null where the provider needs none, undefined where the account has to say it. */
export function addressOf(provider: string): string | null | undefined {
  return addresses.get(provider);
}
