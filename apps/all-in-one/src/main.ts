import { runMain } from '@sallyport/platform';
import { startAllInOne } from './all-in-one';
import { announceToPerson, announceToScript } from './announce';

const forScript = process.argv.includes('--json');

runMain('all-in-one', async () => {
  const cluster = await startAllInOne({
    environment: process.env,
    progress: (done) => process.stderr.write(` ${done}`),
  });
  process.stderr.write('\n');
  const { announcement } = cluster;
  process.stdout.write(forScript ? announceToScript(announcement) : announceToPerson(announcement));
  return cluster;
});
