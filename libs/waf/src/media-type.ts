/** Whether a body is judged as JSON: `application/json`, `text/json` and every `+json` (RFC 6839 §3.1). */
export function isJsonType(mediaType: string | undefined): boolean {
  return mediaType === 'application/json' || mediaType === 'text/json' || mediaType?.endsWith('+json') === true;
}

export function isFormType(mediaType: string | undefined): boolean {
  return mediaType === 'application/x-www-form-urlencoded';
}
