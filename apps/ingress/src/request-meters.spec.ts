import { createMetrics } from '@sallyport/platform';
import { someRoute } from '@sallyport/testkit';
import { RequestMeters } from './request-meters';

describe('the meters of requests', () => {
  it('count by route, class and code, and what matched no route as none', async () => {
    const metrics = createMetrics('ingress');
    const meters = new RequestMeters(metrics);
    const route = someRoute({ id: 'orders/v1/all' });
    meters.count(route, 200, 0.02);
    meters.count(route, 200, 0.2);
    meters.count(route, 'LIMIT_EXCEEDED', 0.001);
    meters.count(undefined, 'ROUTE_NOT_FOUND', 0.001);
    const page = await metrics.exposition();
    const of = (route: string, routeClass: string, code: string) =>
      `sallyport_ingress_requests_total{app="ingress",route="${route}",class="${routeClass}",code="${code}"}`;
    expect(page).toContain(`${of('orders/v1/all', 'public', '200')} 2`);
    expect(page).toContain(`${of('orders/v1/all', 'public', 'LIMIT_EXCEEDED')} 1`);
    expect(page).toContain(`${of('none', 'none', 'ROUTE_NOT_FOUND')} 1`);
    expect(page).toContain('http_server_request_duration_seconds_count{app="ingress",route="orders/v1/all"} 3');
  });

  it('count under the class a route has now, when a new configuration gave it another', async () => {
    const metrics = createMetrics('ingress');
    const meters = new RequestMeters(metrics);
    meters.count(someRoute({ id: 'orders/v1/all', class: 'public' }), 200, 0.01);
    meters.count(someRoute({ id: 'orders/v1/all', class: 'regulated' }), 200, 0.01);
    expect(await metrics.exposition()).toContain('route="orders/v1/all",class="regulated",code="200"} 1');
  });
});
