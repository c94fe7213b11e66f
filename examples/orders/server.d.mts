/** Starts the API on an address; port 0 takes a free one. Settles once it listens. */
export function startOrders(address?: {
  host?: string;
  port?: number;
}): Promise<{ readonly url: string; readonly port: number; close(): Promise<void> }>;
