import { systemClock as clock } from '@sallyport/contracts';
import { PolicyCompiler, servicesWithoutMemory } from '@sallyport/pipeline';
import { inSlices } from '@sallyport/platform';
import { someSnapshot } from '../ingress-under-test';
import { CurrentConfiguration } from './current-configuration';

it('a configuration that is in force is not given up for what is left to do, however long that takes', async () => {
  let spent = 0;
  let cleaned = 0;
  const current = new CurrentConfiguration(new PolicyCompiler(servicesWithoutMemory), function* () {
    yield;
    return {
      commit: () => undefined,
      *settle() {
        for (; cleaned < 10; cleaned++) {
          spent += 1_000;
          yield;
        }
      },
    };
  });
  await inSlices(current.apply(someSnapshot('c_1', [], [])), { clock, sliceMs: 0, used: () => spent });
  expect(current.current?.revision).toBe('c_1');
  expect(cleaned).toBe(10);
});
