import { previewExclusions } from './preview';

const tagsOf = (rule: number): string[] => (rule >= 942_000 && rule < 943_000 ? ['attack-sqli'] : []);
const requests = [
  {
    id: 'req_1',
    verdict: 'refuse' as const,
    hits: [
      { rule: 942_190, variable: 'ARGS:json.query' },
      { rule: 949_110, variable: 'TX:blocking_inbound_anomaly_score' },
    ],
  },
  {
    id: 'req_2',
    verdict: 'refuse' as const,
    hits: [
      { rule: 942_100, variable: 'ARGS:json.query' },
      { rule: 941_100, variable: 'ARGS:json.note' },
    ],
  },
  { id: 'req_3', verdict: 'flag' as const, hits: [{ rule: 920_350, variable: 'REQUEST_HEADERS:host' }] },
];

it('says which requests exclusions clear, which they do not, and which of them touch nothing', () => {
  const exclude = [
    { tag: 'attack-sqli', target: 'ARGS:JSON.query', reason: 'GraphQL' },
    { rule: 930_100, reason: 'misspelt' },
  ];
  expect(previewExclusions(exclude, requests, tagsOf)).toEqual({
    requests: 3,
    hits: 4,
    hitsRemoved: 2,
    cleared: ['req_1'],
    stillHit: ['req_2'],
    unused: [1],
  });
});

it('reads patterns of members, whole collections, and rules without a target', () => {
  const by = (exclude: Parameters<typeof previewExclusions>[0]) => previewExclusions(exclude, requests, tagsOf).cleared;
  expect(by([{ rule: '942000-942999', target: 'ARGS:/^json\\.q/', reason: 'why' }])).toEqual(['req_1']);
  expect(by([{ rule: '900000-999999', target: 'ARGS', reason: 'why' }])).toEqual(['req_1', 'req_2']);
  expect(by([{ rule: 920_350, reason: 'why' }])).toEqual(['req_3']);
});
