import { errors, slugOf, type ErrorCode } from '@sallyport/contracts';

const codes = new Map((Object.keys(errors) as ErrorCode[]).map((code) => [slugOf(code), code]));

/**
 * The page a problem's `type` leads to: what the code means, why it happens and the way out.
 * @param slug `limit-exceeded`
 * @returns plain text, or undefined for a code that does not exist.
 */
export function problemPage(slug: string): string | undefined {
  const code = codes.get(slug);
  if (!code) return undefined;
  const { http, grpc, retry, title, cause, fix } = errors[code];
  return [
    `${code}: ${title}`,
    '',
    `HTTP ${http}, gRPC ${grpc}. Retry: ${retry}.`,
    '',
    `Why it happens: ${cause}`,
    `What to do: ${fix}`,
    '',
  ].join('\n');
}

/** The list of all codes, for `/problems`. */
export function problemIndex(): string {
  return `${[...codes].map(([slug, code]) => `/problems/${slug}  ${errors[code].http}  ${errors[code].title}`).join('\n')}\n`;
}
