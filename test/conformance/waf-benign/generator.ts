import type { BenignRequest } from './benign-request';
import { chat } from './kinds/chat';
import { form } from './kinds/form';
import { graphql } from './kinds/graphql';
import { jsonApi } from './kinds/json-api';
import { mcp } from './kinds/mcp';
import { page } from './kinds/page';
import { upload } from './kinds/upload';
import { Random } from './random';
import { Vocabulary } from './vocabulary';

/** Makes one ordinary request of a kind. */
export type Kind = (random: Random, vocabulary: Vocabulary) => Omit<BenignRequest, 'title'>;

/** How many of each kind there are in the corpus. */
const kinds: readonly (readonly [name: string, kind: Kind, count: number])[] = [
  ['page', page, 200],
  ['form', form, 200],
  ['json', jsonApi, 250],
  ['graphql', graphql, 120],
  ['chat', chat, 160],
  ['mcp', mcp, 120],
  ['upload', upload, 80],
];

/** The same requests for the same seed. */
export function generate(seed: number): BenignRequest[] {
  const random = new Random(seed);
  const vocabulary = new Vocabulary(random);
  return kinds.flatMap(([name, kind, count]) =>
    Array.from({ length: count }, (_, at) => ({
      title: `${name} ${at + 1} of seed ${seed}`,
      ...kind(random, vocabulary),
    })),
  );
}
