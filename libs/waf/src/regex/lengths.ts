import type { Syntax } from './ast';

/** @returns bytes of the shortest text the pattern matches */
export function shortestLength(syntax: Syntax): number {
  switch (syntax.kind) {
    case 'bytes':
      return 1;
    case 'sequence':
      return syntax.parts.reduce((sum, part) => sum + shortestLength(part), 0);
    case 'choice':
      return syntax.options.reduce((least, option) => Math.min(least, shortestLength(option)), Infinity);
    case 'group':
    case 'atomic':
      return shortestLength(syntax.body);
    case 'repeat':
      return syntax.least === 0 ? 0 : syntax.least * shortestLength(syntax.body);
    default:
      return 0;
  }
}

/** @returns bytes of the longest text the pattern matches, Infinity where there is none */
export function longestLength(syntax: Syntax): number {
  switch (syntax.kind) {
    case 'bytes':
      return 1;
    case 'sequence':
      return syntax.parts.reduce((sum, part) => sum + longestLength(part), 0);
    case 'choice':
      return syntax.options.reduce((most, option) => Math.max(most, longestLength(option)), 0);
    case 'group':
    case 'atomic':
      return longestLength(syntax.body);
    case 'repeat': {
      const round = longestLength(syntax.body);
      return round === 0 || syntax.most === 0 ? 0 : round * syntax.most;
    }
    case 'reference':
      return Infinity;
    default:
      return 0;
  }
}
