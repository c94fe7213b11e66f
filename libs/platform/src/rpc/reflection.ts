import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Server, ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** Beside the sources, and copied beside the compiled files. */
const PROTO_FOLDER = join(__dirname, '../../../../proto');

interface Reflection {
  readonly service: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/**
 * Lets tools ask which services there are (both published versions of the protocol). Reading the proto files takes longer
 * than starting the server, so that happens at the first question.
 */
export function addReflection(server: Server, services: readonly string[]): void {
  let loaded: Map<string, Reflection> | undefined;
  for (const version of ['v1', 'v1alpha']) {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    const reflection = () => (loaded ??= loadReflection(services)).get(path)!;
    server.addService(
      {
        serverReflectionInfo: {
          path,
          requestStream: true,
          responseStream: true,
          requestSerialize: (value: unknown) => method(reflection()).requestSerialize(value),
          requestDeserialize: (bytes: Buffer): unknown => method(reflection()).requestDeserialize(bytes),
          responseSerialize: (value: unknown) => method(reflection()).responseSerialize(value),
          responseDeserialize: (bytes: Buffer): unknown => method(reflection()).responseDeserialize(bytes),
        },
      },
      {
        serverReflectionInfo: (call: ServerDuplexStream<unknown, unknown>) => {
          const handler = Object.values(reflection().implementation)[0] as (call: unknown) => void;
          handler(call);
        },
      },
    );
  }
}

function method({ service }: Reflection) {
  return Object.values(service)[0]!;
}

function loadReflection(services: readonly string[]): Map<string, Reflection> {
  const { ReflectionService } = require('@grpc/reflection') as typeof import('@grpc/reflection');
  const { loadSync } = require('@grpc/proto-loader') as typeof import('@grpc/proto-loader');
  const definition = loadSync(services.flatMap(protoFilesOf), { includeDirs: [PROTO_FOLDER] });
  const found = new Map<string, Reflection>();
  new ReflectionService(definition, { services: [...services] }).addToServer({
    addService: (service, implementation) => {
      found.set(Object.values(service)[0]!.path, {
        service: service,
        implementation,
      });
    },
  });
  return found;
}

/** `sallyport.limits.v1.LimitService` → the proto files of the folder `sallyport/limits/v1`. */
function protoFilesOf(service: string): string[] {
  const folder = service.split('.').slice(0, -1).join('/');
  return readdirSync(join(PROTO_FOLDER, folder)).map((file) => `${folder}/${file}`);
}
