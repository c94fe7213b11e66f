/** Codings that answers can be packed with, the one that is preferred among equals first. */
export type Coding = 'zstd' | 'br' | 'gzip';

const QUALITY = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;

/**
 * Chooses a coding by what the caller takes (RFC 9110 §12.5.3).
 * @param offered in the order of preference among equals
 * @returns undefined where the answer goes out as it is: nothing was asked for, or nothing fits better.
 */
export function chooseCoding(acceptEncoding: string | undefined, offered: readonly Coding[]): Coding | undefined {
  if (acceptEncoding === undefined || acceptEncoding.length > 1024) return undefined;
  const qualities = new Map<string, number>();
  for (const member of acceptEncoding.toLowerCase().split(',')) {
    const [name = '', ...parameters] = member.split(';').map((part) => part.trim());
    // What cannot be read is not asked for.
    if (name !== '' && !qualities.has(name)) qualities.set(name, qualityOf(parameters));
  }
  const quality = (name: string): number => qualities.get(name) ?? qualities.get('*') ?? 0;
  const identity = qualities.get('identity') ?? 0;
  let chosen: Coding | undefined;
  for (const coding of offered) if (quality(coding) > (chosen ? quality(chosen) : 0)) chosen = coding;
  return chosen && quality(chosen) >= identity ? chosen : undefined;
}

function qualityOf(parameters: readonly string[]): number {
  const [only, ...more] = parameters;
  if (only === undefined) return 1;
  const match = QUALITY.exec(only);
  return match && more.length === 0 ? Number(match[1]) : 0;
}
