import { summaryOf, upstreamsOf, type IngressFacts } from './status';

const target = (more: object) => ({
  url: 'http://a',
  weight: 1,
  standing: 'serving' as const,
  load: 1,
  calls: 10,
  failures: 2,
  retries: 1,
  ejections: 0,
  waitMs: 0,
  ...more,
});
const worker = (node: string, more: object = {}): IngressFacts => ({
  node,
  pid: 1,
  revision: 'c_1',
  exchanges: 1,
  sockets: 2,
  upstreams: [{ id: 'orders', targets: [target(more)] }],
});

describe('what the workers of an ingress say together', () => {
  it('is one summary, without what belongs to another page', () => {
    const summary = summaryOf('edge', [worker('edge-2'), worker('edge-1')]);
    expect(summary).toMatchObject({ revision: 'c_1', exchanges: 2, workers: [{ node: 'edge-1' }, { node: 'edge-2' }] });
    expect(summary.workers[0]).not.toHaveProperty('upstreams');
  });

  it('adds up what they counted, and names who leaves a target out', () => {
    const out = { standing: 'ejected', waitMs: 9_000 };
    expect(upstreamsOf([worker('edge-1'), worker('edge-2', out)]).upstreams).toEqual([
      {
        id: 'orders',
        targets: [
          {
            ...target({ standing: 'ejected', load: 2, calls: 20, failures: 4, retries: 2, waitMs: 9_000 }),
            leftOut: [{ node: 'edge-2', ...out }],
          },
        ],
      },
    ]);
  });

  it('is not confused by a worker that has another revision', () => {
    const late: IngressFacts = { ...worker('edge-2'), upstreams: [{ id: 'orders', targets: [] }] };
    expect(upstreamsOf([worker('edge-1'), late, { ...late, upstreams: [] }]).upstreams[0]!.targets[0]!.calls).toBe(10);
  });
});
