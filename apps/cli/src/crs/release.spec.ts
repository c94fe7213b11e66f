import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { installedVersions, placeOf, writeRelease } from './installed';
import { differences, knownVersions, manifestOf } from './manifest';
import { readRelease } from './release';

const found = sharedData('crs', '4.28.0');
const describeWith = found === undefined ? describe.skip : describe;
if (found === undefined) console.warn('skipped: a release of the CRS, because its data is not there');
const shared = found ?? '';

it('knows the files of each release it names, and of no other', () => {
  for (const version of knownVersions) expect(manifestOf(version)!.version).toBe(version);
  expect(manifestOf('4.0.0')).toBeUndefined();
  expect(manifestOf('../../etc')).toBeUndefined();
});

it('takes nothing for a release that is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  await expect(readRelease(join(folder, 'gone'))).rejects.toThrow('There is nothing');
  await expect(readRelease(folder)).rejects.toThrow('no release of the OWASP CRS');
  writeFileSync(join(folder, 'x.tgz'), 'not packed');
  await expect(readRelease(join(folder, 'x.tgz'))).rejects.toThrow('cannot be unpacked');
  rmSync(folder, { recursive: true });
});

describeWith('a release of the CRS', () => {
  const manifest = manifestOf('4.28.0')!;
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is installed as it was published, and keeps what the user has put beside it', async () => {
    const files = await readRelease(shared);
    expect(differences(manifest, files)).toEqual([]);
    await writeRelease(folder, manifest, files);
    expect(await installedVersions(folder)).toEqual(['4.28.0']);
    const place = placeOf(folder, '4.28.0');
    writeFileSync(join(place, 'crs-setup.conf'), '# mine');
    mkdirSync(join(place, 'before'));
    await writeRelease(folder, manifest, files);
    expect(readdirSync(place).sort()).toEqual([
      'LICENSE',
      'before',
      'crs-setup.conf',
      'crs-setup.conf.example',
      'rules',
    ]);
    expect(differences(manifest, await readRelease(place))).toEqual([]);
  });

  it('is told from one in which a file was changed, is missing or was added', async () => {
    cpSync(shared, folder, { recursive: true, filter: (path) => !path.endsWith('tests') });
    writeFileSync(join(folder, 'rules', 'iis-errors.data'), 'changed');
    writeFileSync(join(folder, 'rules', 'REQUEST-000-MINE.conf'), '# mine');
    rmSync(join(folder, 'rules', 'ssrf.data'));
    expect(differences(manifest, await readRelease(folder)).sort()).toEqual([
      'rules/REQUEST-000-MINE.conf does not belong to the release',
      'rules/iis-errors.data is not that of the release',
      'rules/ssrf.data is missing',
    ]);
  });
});
