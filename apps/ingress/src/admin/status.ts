/** Token under which the module provides the status. */
export const INGRESS_STATUS = Symbol('INGRESS_STATUS');

export interface IngressStatus {
  read(): {
    readonly node: string;
    readonly revision: string | null;
    readonly exchanges: number;
    readonly sockets: number;
  };
}
