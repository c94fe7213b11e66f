import type { SnapshotRoute } from '@sallyport/contracts';
import type { Counter, CounterSeries, Histogram, HistogramSeries, Metrics } from '@sallyport/platform';

/** Upper bounds in seconds, as the semantic conventions advise for HTTP servers. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The series of one route, each looked up once. */
interface RouteMeters {
  readonly labels: { readonly route: string; readonly class: string };
  readonly byCode: Map<string | number, CounterSeries>;
  readonly duration: HistogramSeries;
}

/** Counts answered requests by route and code, and how long they took. */
export class RequestMeters {
  private readonly requests: Counter;
  private readonly duration: Histogram;
  /** A route that a new configuration brings again unchanged is the same object; one that is gone takes its entry along. */
  private readonly routes = new WeakMap<SnapshotRoute, RouteMeters>();
  private readonly withoutRoute: RouteMeters;

  constructor(metrics: Metrics) {
    this.requests = metrics.counter('sallyport_ingress_requests_total', 'Requests answered', [
      'route',
      'class',
      'code',
    ]);
    this.duration = metrics.histogram(
      'http_server_request_duration_seconds',
      'Time from the first byte of a request to the last of its answer',
      DURATION_BUCKETS,
      ['route'],
    );
    this.withoutRoute = this.metersOf('none', 'none');
  }

  /** @param code of the refusal, or the status of the answer; @param seconds from first byte to last */
  count(route: SnapshotRoute | undefined, code: string | number, seconds: number): void {
    const meters = route ? (this.routes.get(route) ?? this.enter(route)) : this.withoutRoute;
    const counted = meters.byCode.get(code) ?? this.enterCode(meters, code);
    counted.add();
    meters.duration.record(seconds);
  }

  private enter(route: SnapshotRoute): RouteMeters {
    const meters = this.metersOf(route.id, route.class);
    this.routes.set(route, meters);
    return meters;
  }

  private metersOf(route: string, routeClass: string): RouteMeters {
    return { labels: { route, class: routeClass }, byCode: new Map(), duration: this.duration.series({ route }) };
  }

  private enterCode({ labels, byCode }: RouteMeters, code: string | number): CounterSeries {
    const series = this.requests.series({ ...labels, code: String(code) });
    byCode.set(code, series);
    return series;
  }
}
