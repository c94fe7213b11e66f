import type { Bytes } from '../bytes';
import type { Syntax } from './ast';
import { longestLength } from './lengths';
import { requiredLiterals } from './literals';

/** Texts of which one is in every match, near its beginning. */
export interface Leading {
  /** Folded to lower case. */
  readonly texts: readonly Bytes[];
  /** Bytes from the beginning of a match to the end of the text in it, at most. */
  readonly within: number;
}

/** Bytes from the beginning of a match, at most: what stands further behind is not near it. */
export const FARTHEST = 512;

/** @returns undefined where a match may begin with too much of anything */
export function leadingTexts(syntax: Syntax): Leading | undefined {
  switch (syntax.kind) {
    case 'sequence':
      return leadingOfSequence(syntax.parts);
    case 'choice':
      return leadingOfChoice(syntax.options);
    case 'group':
    case 'atomic':
      return leadingTexts(syntax.body);
    default:
      return leadingOfSequence([syntax]);
  }
}

/** The beginning of a sequence that is bounded, or the first part that is not: whichever has the longer texts. */
function leadingOfSequence(parts: readonly Syntax[]): Leading | undefined {
  const beginning: Syntax[] = [];
  let length = 0;
  let further: Leading | undefined;
  for (const part of parts) {
    const bounded = length + longestLength(part) <= FARTHEST ? part : leastRounds(part);
    const longest = length + longestLength(bounded);
    if (longest <= FARTHEST) {
      beginning.push(bounded);
      length = longest;
      if (bounded === part) continue;
    } else further = leadingTexts(bounded);
    break;
  }
  const texts = requiredLiterals({ kind: 'sequence', parts: beginning })[0];
  const near = texts && { texts, within: length };
  const far =
    further && length + further.within <= FARTHEST ? { ...further, within: length + further.within } : undefined;
  return shortestOf(far) > shortestOf(near) ? far : near;
}

function shortestOf(leading: Leading | undefined): number {
  return leading ? leading.texts.reduce((least, { length }) => Math.min(least, length), Infinity) : 0;
}

function leadingOfChoice(options: readonly Syntax[]): Leading | undefined {
  const leading = options.map(leadingTexts);
  if (leading.some((each) => each === undefined)) return undefined;
  return {
    texts: [...new Set(leading.flatMap((each) => each!.texts))],
    within: Math.max(...leading.map((each) => each!.within)),
  };
}

/** What a part begins with that may be too long: of a repetition, as many rounds as there must be, or one that there must. */
function leastRounds(part: Syntax): Syntax {
  if (part.kind !== 'repeat') return part;
  return part.least === part.most ? part.body : { ...part, most: part.least };
}
