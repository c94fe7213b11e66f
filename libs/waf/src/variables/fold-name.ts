import type { Bytes } from '../bytes';
import { lowercase } from '../transformations/lowercase';

/** A name as selectors compare it: ASCII letters in lower case. Most names are already. */
export function foldName(name: Bytes): Bytes {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code >= 0x41 && code <= 0x5a) return lowercase.apply(name);
  }
  return name;
}
