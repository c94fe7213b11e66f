// Entry of the container: runs the application the image was built for, in this very process so that signals reach it.
const app = process.env.APP;
if (!/^[a-z-]+$/.test(app ?? '')) {
  console.error('sallyport: APP names the application this container runs, such as ingress');
  process.exit(64);
}
require(`../../dist/apps/${app}/src/main.js`);
