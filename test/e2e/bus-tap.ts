import { connect } from 'nats';

/** Hears everything on the bus from now on, the contents of streams and buckets included. */
export interface BusTap {
  /** Subject, header and data of every message, as bytes came. */
  readonly heard: readonly string[];
  close(): Promise<void>;
}

export async function tapBus(url: string): Promise<BusTap> {
  const connection = await connect({ servers: url, name: 'test' });
  const heard: string[] = [];
  connection.subscribe('>', {
    callback: (_, { subject, headers, data }) => {
      const fields = headers ? [...headers].map(([name, values]) => `${name}: ${values.join()}`).join('\n') : '';
      heard.push(`${subject}\n${fields}\n${Buffer.from(data).toString('latin1')}`);
    },
  });
  await connection.flush();
  return { heard, close: () => connection.drain() };
}
