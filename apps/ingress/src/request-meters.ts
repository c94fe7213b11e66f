import type { SnapshotRoute } from '@sallyport/contracts';
import type { Counter, CounterSeries, Histogram, HistogramSeries, Metrics } from '@sallyport/platform';

/** Upper bounds in seconds, as the semantic conventions advise for HTTP servers. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The series of one route, each looked up once. */
interface RouteMeters {
  readonly byCode: Map<string | number, CounterSeries>;
  readonly duration: HistogramSeries;
}

/** Counts answered requests by route and code, and how long they took. */
export class RequestMeters {
  private readonly requests: Counter;
  private readonly duration: Histogram;
  /** By id: a route keeps its series when a new configuration brings it again. */
  private readonly routes = new Map<string, RouteMeters>();

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
  }

  /** @param code of the refusal, or the status of the answer; @param seconds from first byte to last */
  count(route: SnapshotRoute | undefined, code: string | number, seconds: number): void {
    const id = route?.id ?? 'none';
    const meters = this.routes.get(id) ?? this.enter(id);
    const counted = meters.byCode.get(code) ?? this.enterCode(meters, id, route?.class ?? 'none', code);
    counted.add();
    meters.duration.record(seconds);
  }

  private enter(route: string): RouteMeters {
    const meters = { byCode: new Map(), duration: this.duration.series({ route }) };
    this.routes.set(route, meters);
    return meters;
  }

  private enterCode(meters: RouteMeters, route: string, routeClass: string, code: string | number): CounterSeries {
    const series = this.requests.series({ route, class: routeClass, code: String(code) });
    meters.byCode.set(code, series);
    return series;
  }
}
