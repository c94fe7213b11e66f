import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buckets, durables, errors, messageHeaders, slugOf, streams, subjects, variables } from '@sallyport/contracts';
import { policies } from '@sallyport/pipeline';

const root = join(__dirname, '..');
const page = (name: string): string => readFileSync(join(root, 'docs', 'reference', name), 'utf8');

describe('the reference pages', () => {
  it('explain every error code, and none that does not exist', () => {
    const named = [...page('errors.md').matchAll(/^### <a id="([a-z-]+)"><\/a>`([A-Z_]+)`/gm)];
    expect(named.map((match) => match[2]).sort()).toEqual(Object.keys(errors).sort());
    expect(named.every((match) => match[1] === slugOf(match[2]!))).toBe(true);
  });

  it('list every environment variable, and none that nobody reads', () => {
    const named = [...page('variables.md').matchAll(/^\| `(SALLYPORT_[A-Z0-9_]+)`/gm)].map((match) => match[1]);
    expect(named.sort()).toEqual(variables.map(({ name }) => name).sort());
  });

  it('describe every policy with an example', () => {
    const named = [...page('policies.md').matchAll(/^\| \[`([a-z-]+)`\]\(policies\/\1\.md\)/gm)].map(
      (match) => match[1],
    );
    expect(named.sort()).toEqual(policies.map(({ id }) => id).sort());
    const pages = policies.map(({ id }) => page(`policies/${id}.md`));
    expect(pages.filter((text) => !text.includes('```yaml'))).toEqual([]);
  });

  it('list every subject, stream, bucket, durable consumer and message header, and no other', () => {
    const text = page('subjects.md');
    const known = [
      ...Object.values(subjects).map((subject) => (typeof subject === 'string' ? subject : undefined)),
      subjects.auditEvent('<kind>', '<tenant>'),
      subjects.wafRequestBlocked('<tenant>'),
      subjects.wafInspectionSkipped('<tenant>'),
      subjects.messageDied('<durable>'),
      subjects.messageDied('*'),
      ...Object.keys(streams),
      ...Object.values(buckets),
      ...Object.values(durables),
      ...Object.values(messageHeaders),
    ].filter((name) => name !== undefined);
    expect(known.filter((name) => !text.includes(name))).toEqual([]);
    const named = [
      ...text.matchAll(
        /`(sallyport\.(?:audit|ai|catalog|platform|waf|bus)\.[a-z<>*.]+\.v1[^`]*|sallyport_[a-z_]+|SALLYPORT_[A-Z]+)`/g,
      ),
    ];
    expect(named.map((match) => match[1]!).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('spell no variable in the documentation that does not exist', () => {
    const known = new Set(variables.flatMap(({ name }) => [name, `${name}_FILE`]));
    const unknown = markdown().flatMap(({ path, text }) =>
      [...text.matchAll(/SALLYPORT_[A-Z0-9_]+[A-Z]/g)]
        .map((match) => match[0])
        .filter((name) => !known.has(name) && !(name in streams) && !['SALLYPORT_'].includes(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });

  it('link to files that exist', () => {
    const broken = markdown().flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
        .filter((match) => !existsSync(join(root, path, '..', match[1]!)))
        .map((match) => `${path} → ${match[1]}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('the sources', () => {
  it('write every subject and bucket in one file', () => {
    const spelled = sourceFiles().filter((path) =>
      /['"`]sallyport\.(audit|ai|auth|catalog|bus)\.[a-z.]+\.v1['"`.$]/.test(readFileSync(join(root, path), 'utf8')),
    );
    // Full names of protobuf services have the same form and another meaning.
    const subjectsElsewhere = spelled.filter((path) =>
      /['"`]sallyport\.(audit|ai|auth|catalog|bus)\.[a-z]+\.[a-z]+\.v1/.test(readFileSync(join(root, path), 'utf8')),
    );
    expect(subjectsElsewhere.filter((path) => path !== 'libs/contracts/src/subjects.ts')).toEqual([]);
  });

  it('read no environment variable that the table does not know', () => {
    const known = new Set(variables.flatMap(({ name }) => [name, `${name}_FILE`]));
    const unknown = sourceFiles().flatMap((path) =>
      [
        ...readFileSync(join(root, path), 'utf8').matchAll(
          /(?:variable\(|env\[|environment\[)\s*'(SALLYPORT_[A-Z0-9_]+)'/g,
        ),
      ]
        .map((match) => match[1]!)
        .filter((name) => !known.has(name) && !(name in streams))
        .map((name) => `${path}: ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});

function markdown(): { path: string; text: string }[] {
  return filesUnder('', /\.md$/).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

function sourceFiles(): string[] {
  return [...filesUnder('apps', /\.ts$/), ...filesUnder('libs', /\.ts$/)].filter(
    (path) => !/\.(spec|suite)\.ts$/.test(path) && !path.includes('/gen/'),
  );
}

const skipped = new Set(['node_modules', 'dist', 'data', '.git']);

function filesUnder(folder: string, pattern: RegExp): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : filesUnder(path, pattern);
    return pattern.test(entry.name) ? [path] : [];
  });
}
