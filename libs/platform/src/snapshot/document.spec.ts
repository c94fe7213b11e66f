import type { Snapshot } from '@sallyport/contracts';
import fc from 'fast-check';
import {
  decodeSnapshot,
  encodeSnapshot,
  MAX_SNAPSHOT_BYTES,
  requireSize,
  sha256Of,
  SnapshotRejected,
} from './document';
import { sampleSnapshot } from './snapshot.suite';

const bytes = (text: string) => new TextEncoder().encode(text);
/** A document as a forger would send it: whatever it says, with the hash that fits. */
const forged = (content: unknown) => {
  const document = bytes(typeof content === 'string' ? content : JSON.stringify(content));
  return { revision: 'c_1', document, sha256: sha256Of(document) };
};
const rejected = (run: () => unknown): SnapshotRejected => {
  try {
    run();
  } catch (error) {
    if (error instanceof SnapshotRejected) return error;
    throw error;
  }
  throw new Error('it was taken');
};

/** The sample with one thing changed. */
function changed(change: (snapshot: Record<keyof Snapshot, never>) => void): unknown {
  const copy = structuredClone(sampleSnapshot(1)) as unknown as Record<keyof Snapshot, never>;
  change(copy);
  return copy;
}

describe('a configuration document', () => {
  it('is read back as it was written', () => {
    const sample = sampleSnapshot(7);
    expect(decodeSnapshot(encodeSnapshot(sample))).toEqual(sample);
  });

  it('has the same bytes whatever order the members came in', () => {
    const { trust, schema, ...rest } = sampleSnapshot(7);
    expect(encodeSnapshot({ ...rest, schema, trust }).sha256).toBe(encodeSnapshot(sampleSnapshot(7)).sha256);
  });

  it.each<[string, (snapshot: any) => void, string]>([
    ['an unknown member', (s) => (s.routes[0].surprise = 1), 'routes[0]'],
    ['a missing member', (s) => delete s.upstreams[0].timeouts, 'upstreams[0].timeouts'],
    ['a newer schema', (s) => (s.schema = 2), 'schema'],
    ['a wrong type', (s) => (s.routes[0].match.pathPrefix = 7), 'routes[0].match.pathPrefix'],
    ['a route twice', (s) => s.routes.push(s.routes[0]), 'routes[1].id'],
    ['an upstream twice', (s) => s.upstreams.push({ ...s.upstreams[0], id: 'other' }), 'upstreams[1].name'],
    ['a consumer twice', (s) => s.consumers.push(s.consumers[0]), 'consumers[1].name'],
    ['a model twice', (s) => s.models.push(s.models[0]), 'models[1].name'],
    ['an upstream that is missing', (s) => (s.routes[0].upstream = 'nowhere'), 'routes[0].upstream'],
    ["another tenant's upstream", (s) => (s.upstreams[0].tenant = 'rival'), 'routes[0].upstream'],
    ['an account that is missing', (s) => (s.models[0].targets[0].account = 'nobody'), 'models[0].targets[0].account'],
    ['a trust entry that is missing', (s) => (s.routes[0].auth.trust = ['nobody']), 'routes[0].auth.trust[0]'],
    ['a file target', (s) => (s.upstreams[0].targets[0].url = 'file:///etc/passwd'), 'upstreams[0].targets[0].url'],
    ['a secret written out', (s) => (s.accounts[0].key = 'sk-secret'), 'accounts[0].key'],
  ])('is refused whole for %s, by the name of the field', (_, change, field) => {
    const refusal = rejected(() => decodeSnapshot(forged(changed(change))));
    expect(refusal.field).toBe(field);
    expect(refusal.message).not.toContain('sk-secret');
  });

  it('is refused when it is another one than announced', () => {
    const encoded = encodeSnapshot(sampleSnapshot(1));
    expect(rejected(() => decodeSnapshot({ ...encoded, sha256: '0'.repeat(64) })).field).toBe('sha256');
    expect(rejected(() => decodeSnapshot({ ...encoded, revision: 'c_2' })).field).toBe('revision');
    expect(rejected(() => decodeSnapshot({ ...encoded, document: encoded.document.subarray(1) })).field).toBe('sha256');
  });

  it.each([
    ['nothing', ''],
    ['half a document', '{"schema":1,"routes":['],
    ['a list', '[]'],
    ['null', 'null'],
    ['nesting without end', '['.repeat(500_000)],
    ['values that nest without end', `{"schema":1,"routes":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
  ])('is refused when it is %s', (_, text) => {
    expect(() => decodeSnapshot(forged(text))).toThrow(SnapshotRejected);
  });

  it('is refused when it is not UTF-8', () => {
    const document = new Uint8Array([0x22, 0xff, 0x22]);
    expect(rejected(() => decodeSnapshot({ revision: 'c_1', document, sha256: sha256Of(document) })).field).toBe(
      'document',
    );
  });

  it('never makes the reader throw anything but a refusal', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => decodeSnapshot(forged(text))).toThrow(SnapshotRejected);
      }),
    );
  });

  it('may grow to four times the last, to 1 MiB in any case, and never above 64 MiB', () => {
    const megabyte = 1024 * 1024;
    expect(() => requireSize(MAX_SNAPSHOT_BYTES, undefined)).not.toThrow();
    expect(rejected(() => requireSize(MAX_SNAPSHOT_BYTES + 1, undefined)).field).toBe('bytes');
    expect(() => requireSize(megabyte, 10)).not.toThrow();
    expect(() => requireSize(megabyte + 1, 10)).toThrow('at most 1048576');
    expect(() => requireSize(8 * megabyte, 2 * megabyte)).not.toThrow();
    expect(() => requireSize(8 * megabyte + 1, 2 * megabyte)).toThrow(SnapshotRejected);
    expect(() => requireSize(MAX_SNAPSHOT_BYTES + 1, 32 * megabyte)).toThrow(SnapshotRejected);
  });

  it('is not published when every reader would refuse it', () => {
    const broken = changed((s: any) => (s.routes[0].upstream = 'nowhere')) as Snapshot;
    expect(rejected(() => encodeSnapshot(broken)).field).toBe('routes[0].upstream');
  });
});
