import type { ByteSet } from '../bytes';
import { Place, type Syntax } from './ast';
import { membersOf } from './byte-classes';

/** The same pattern for V8, with every class spelled out. For tests only: V8's own matcher takes exponential time. */
export function v8Source(syntax: Syntax): string {
  switch (syntax.kind) {
    case 'sequence':
      return `(?:${syntax.parts.map(v8Source).join('')})`;
    case 'choice':
      return `(?:${syntax.options.map(v8Source).join('|')})`;
    case 'bytes':
      return classOf(syntax.set);
    case 'place':
      return places[syntax.place];
    case 'unfollowed':
      return `(?!${classOf(syntax.set)})`;
    case 'group':
      return `(${v8Source(syntax.body)})`;
    case 'repeat': {
      const most = syntax.most === Infinity ? '' : syntax.most;
      return `(?:${v8Source(syntax.body)}){${syntax.least},${most}}${syntax.lazy ? '?' : ''}`;
    }
    case 'look':
      return `(?${syntax.behind ? '<' : ''}${syntax.negative ? '!' : '='}${v8Source(syntax.body)})`;
    case 'reference':
      return `(?:\\${syntax.group})`;
    case 'atomic':
      throw new Error('V8 has no atomic groups');
  }
}

const places: Readonly<Record<Place, string>> = {
  [Place.TextStart]: '(?<![^])',
  [Place.LineStart]: '(?:(?<![^])|(?<=\\n)(?=[^]))',
  [Place.TextEnd]: '(?![^])',
  [Place.FinalEnd]: '(?=\\n?(?![^]))',
  [Place.LineEnd]: '(?=\\n|(?![^]))',
  [Place.WordBoundary]: '\\b',
  [Place.NoWordBoundary]: '\\B',
};

function classOf(set: ByteSet): string {
  return `[${membersOf(set)
    .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    .join('')}]`;
}
