import { runMain } from '@sallyport/platform';
import { startAllInOne } from './all-in-one';
import { announceToPerson, announceToScript } from './announce';
import { ProgressLine } from './progress-line';

const forScript = process.argv.includes('--json');

runMain('all-in-one', async () => {
  const progress = new ProgressLine();
  const cluster = await startAllInOne({
    environment: process.env,
    progress: (done) => progress.add(done),
  }).finally(() => progress.end());
  const { announcement } = cluster;
  process.stdout.write(forScript ? announceToScript(announcement) : announceToPerson(announcement));
  return cluster;
});
