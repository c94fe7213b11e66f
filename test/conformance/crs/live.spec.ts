import { sharedData } from '@sallyport/testkit';
import { join } from 'node:path';
import { LiveTarget } from './live-target';
import { readOverrides } from './overrides';
import { runTests } from './run';
import { readTests, type TestCase } from './test-file';

const data = sharedData('crs', '4.28.0');
const whenThere = data === undefined ? describe.skip : describe;

if (data === undefined) console.warn('CRS DATA MISSING: conformance tests through the gateway NOT RUN');

/** Every one that is about how HTTP is read and answered, and of the others one in twenty: they ran in the engine. */
function wanted({ id }: TestCase, at: number): boolean {
  return /^9(1|20|21|22|49|5|80)/.test(id) || at % 20 === 0;
}

whenThere('the regression tests of CRS, through the whole product by HTTP bytes', () => {
  let target: LiveTarget;

  beforeAll(async () => {
    const setup = join(data!, 'crs-setup.conf.example');
    target = await LiveTarget.start({ rules: join(data!, 'rules'), setup, paranoia: 4 });
  }, 300_000);

  afterAll(() => target?.close(), 60_000);

  it('pass', async () => {
    const tests = readTests(join(data!, 'tests')).filter(wanted);
    const { failed, faults } = await runTests(tests, target, new Set(readOverrides().map(({ test }) => test)));
    expect(failed.map((test) => `${test}: ${faults.get(test)!.join('; ')}`)).toEqual([]);
  }, 300_000);
});
