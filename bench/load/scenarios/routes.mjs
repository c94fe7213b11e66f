// `routes`: the same request where one route is published, and where a thousand are.
import { measure, ratiosTo } from '../measure.mjs';
import { ordersService, startAllInOne } from '../sallyport.mjs';

export const title = 'One request where one route is published, and where a thousand are';

const MANY = 1_000;

export async function systems(upstream) {
  const one = { services: [ordersService(upstream.port)] };
  const routes = Array.from({ length: MANY - 1 }, (_, at) => ({ name: `r${at}`, path: `/r${at}` }));
  const many = { services: [ordersService(upstream.port, { routes: [{ name: 'all' }, ...routes] })] };
  return [{ start: () => startAllInOne(one, 'one route') }, { start: () => startAllInOne(many, 'a thousand routes') }];
}

export async function run(systems, load) {
  const requests = ({ name, fields }) =>
    name === 'one route'
      ? [{ path: '/orders', fields }]
      : Array.from({ length: 50 }, (_, at) => ({ path: `/orders/r${at * 17}/x`, fields }));
  const rows = await measure(systems, load, requests);
  return { rows, ratios: ratiosTo(rows[0], rows) };
}
