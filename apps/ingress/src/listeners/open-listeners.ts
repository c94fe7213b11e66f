import type { Runtime } from '@sallyport/platform';
import { Certificates } from './certificates';
import { plainConnection, type Connection } from './connection';
import { listenHttp, type HttpListener, type HttpListenerOptions } from './http';
import type { Http1Handler } from './http1-session';
import { Http2Sessions, type Http2Watcher } from './http2-session';
import { unusableFile, type ListenerSettings } from './listeners-file';
import { TlsDoor } from './tls-door';

/** How often the files of certificates are looked at. */
const REFRESH_MS = 5_000;

export interface ListenersOptions extends Http1Handler, Pick<HttpListenerOptions, 'onFewAccepts'> {
  readonly runtime: Runtime;
  /** Milliseconds between two looks at the files of certificates. */
  readonly refreshMs?: number;
}

/**
 * Opens the listeners of a file, all or none.
 * @throws ListenError, or ConfigError for a certificate that cannot be used.
 */
export async function openListeners(
  settings: readonly ListenerSettings[],
  options: ListenersOptions,
): Promise<HttpListener> {
  const opened: OpenListener[] = [];
  try {
    // What can be known to be wrong is found before the first port is bound.
    const doors = settings.map((one) => new Door(one, options));
    for (const door of doors) opened.push(await door.open());
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close()));
    throw error;
  }
  return {
    get sockets() {
      return opened.reduce((sum, { sockets }) => sum + sockets, 0);
    },
    renew: () => opened.forEach((listener) => listener.renew()),
    get crowdedMs() {
      return Math.max(...opened.map(({ crowdedMs }) => crowdedMs));
    },
    capacity: opened.reduce((sum, { capacity }) => sum + capacity, 0),
    relieve: (lean, closed) => opened.forEach((listener) => listener.relieve(lean, closed)),
    announceEnd: () => opened.forEach((listener) => listener.announceEnd()),
    stopAccepting: () => opened.forEach((listener) => listener.stopAccepting()),
    closeIdle: () => opened.forEach((listener) => listener.closeIdle()),
    close: async () => void (await Promise.all(opened.map((listener) => listener.close()))),
  };
}

type OpenListener = HttpListener;

/** One listener about to be opened. */
class Door {
  private readonly connection: Connection;
  private readonly certificates: Certificates | undefined;

  constructor(
    private readonly settings: ListenerSettings,
    private readonly options: ListenersOptions,
  ) {
    const { name, tls, limits, trustedProxies } = settings;
    const encrypted = tls !== undefined;
    this.connection = Object.freeze({ ...plainConnection, listener: name, encrypted, limits, trustedProxies });
    this.certificates = tls && this.readCertificates(tls);
  }

  async open(): Promise<OpenListener> {
    const { settings, options, connection, certificates } = this;
    const { clock } = options.runtime;
    const listener = await listenHttp({
      ...options,
      address: settings.address,
      connection,
      tls: certificates && this.tlsDoor(certificates),
      proxyProtocol: settings.proxyProtocol === true,
      http2: settings.http2
        ? new Http2Sessions(options.handle, this.http2Watcher(), () => clock.monotonic(), settings.limits.checkMs)
        : undefined,
    });
    if (!certificates) return listener;
    this.showExpiry(certificates);
    const refreshing = setInterval(() => this.refresh(certificates, listener), options.refreshMs ?? REFRESH_MS).unref();
    const close = listener.close.bind(listener);
    listener.close = async () => {
      clearInterval(refreshing);
      await close();
    };
    return listener;
  }

  private readCertificates(tls: NonNullable<ListenerSettings['tls']>): Certificates {
    const { clock } = this.options.runtime;
    try {
      return new Certificates(tls, () => clock.now());
    } catch (error) {
      throw unusableFile(this.settings.name, error as Error);
    }
  }

  private tlsDoor(certificates: Certificates): TlsDoor {
    const { metrics, logger } = this.options.runtime;
    const { name: listener, tls } = this.settings;
    const failures = metrics.counter('sallyport_ingress_tls_failures_total', 'TLS connections that were not accepted', [
      'listener',
      'reason',
    ]);
    return new TlsDoor({
      settings: tls!,
      certificates,
      connection: this.connection,
      onFailure: (reason, error) => {
        failures.add(1, { listener, reason });
        logger.debug({ listener, reason, cause: (error as NodeJS.ErrnoException).code }, 'no TLS connection');
      },
    });
  }

  private http2Watcher(): Http2Watcher {
    const { metrics, logger } = this.options.runtime;
    const listener = this.settings.name;
    const abuses = metrics.counter(
      'sallyport_ingress_http2_abuse_total',
      'HTTP/2 connections that were ended because their client did something too often',
      ['listener', 'reason'],
    );
    return {
      onAbuse: (reason) => {
        abuses.add(1, { listener, reason });
        logger.debug({ listener, reason }, 'an HTTP/2 connection was ended');
      },
      onDefect: (error) => logger.error({ err: error, listener }, 'HTTP/2 failed by our own fault'),
    };
  }

  private refresh(certificates: Certificates, listener: HttpListener): void {
    const { logger, metrics } = this.options.runtime;
    const { name } = this.settings;
    try {
      if (!certificates.refresh()) return;
      listener.renew();
      this.showExpiry(certificates);
      logger.info({ listener: name }, 'new certificates are in force');
    } catch (error) {
      metrics
        .counter('sallyport_certificate_rejected_total', 'Changed certificates that could not be used', ['listener'])
        .add(1, { listener: name });
      logger.error({ listener: name, reason: (error as Error).message }, 'new certificates cannot be used');
    }
  }

  private showExpiry(certificates: Certificates): void {
    const { metrics, clock, logger } = this.options.runtime;
    const gauge = metrics.gauge('sallyport_certificate_expiry_seconds', 'Seconds until a certificate expires', [
      'listener',
      'host',
    ]);
    const { name: listener } = this.settings;
    for (const { name: host, notAfter } of certificates.installed) {
      gauge.observe(() => (notAfter - clock.now()) / 1000, { listener, host });
      if (notAfter <= clock.now())
        logger.error({ listener, host, notAfter: new Date(notAfter) }, 'a certificate in force has expired');
    }
  }
}
