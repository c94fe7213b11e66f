import type { Bytes } from '../bytes';
import type { Syntax } from './ast';
import { membersOf } from './byte-classes';

/** Numbers from 0 to 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

/** A text that follows a pattern as far as it goes without looking around; `random` chooses the way. */
export function textOf(syntax: Syntax, random: () => number): Bytes {
  switch (syntax.kind) {
    case 'sequence':
      return syntax.parts.map((part) => textOf(part, random)).join('');
    case 'choice':
      return textOf(syntax.options[Math.floor(random() * syntax.options.length)]!, random);
    case 'bytes': {
      const members = membersOf(syntax.set);
      const printable = members.filter((byte) => byte >= 32 && byte < 127);
      const some = printable.length > 0 && random() < 0.9 ? printable : members;
      return some.length === 0 ? '' : String.fromCharCode(some[Math.floor(random() * some.length)]!);
    }
    case 'group':
    case 'atomic':
      return textOf(syntax.body, random);
    case 'repeat': {
      const more = Math.floor(random() * 3);
      const count = Math.min(syntax.most, syntax.least + more, 40);
      return Array.from({ length: count }, () => textOf(syntax.body, random)).join('');
    }
    default:
      return '';
  }
}

/** A text with some bytes changed, taken away or put in. */
export function disturbed(text: Bytes, random: () => number, alphabet: Bytes): Bytes {
  let result = text;
  for (let change = Math.floor(random() * 3); change > 0; change--) {
    const at = Math.floor(random() * (result.length + 1));
    const byte = alphabet[Math.floor(random() * alphabet.length)]!;
    const kind = random();
    result = result.slice(0, at) + (kind < 0.3 ? '' : byte) + result.slice(kind < 0.6 ? at + 1 : at);
  }
  return result;
}
