/**
 * Names of OpenTelemetry attributes, spelled here and nowhere else. Semantic conventions v1.41.1: the HTTP ones are stable,
 * every `gen_ai.*` name is in development and may move.
 */
export const semconv = {
  serviceName: 'service.name',
  serviceNamespace: 'service.namespace',
  serviceVersion: 'service.version',
  serviceInstanceId: 'service.instance.id',

  httpMethod: 'http.request.method',
  httpMethodOriginal: 'http.request.method_original',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  urlScheme: 'url.scheme',
  urlPath: 'url.path',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  protocolVersion: 'network.protocol.version',
  errorType: 'error.type',

  rpcSystem: 'rpc.system',
  rpcService: 'rpc.service',
  rpcMethod: 'rpc.method',
  rpcGrpcStatus: 'rpc.grpc.status_code',

  messagingSystem: 'messaging.system',
  messagingDestination: 'messaging.destination.name',
  messagingBatchCount: 'messaging.batch.message_count',

  genAiOperation: 'gen_ai.operation.name',
  genAiProvider: 'gen_ai.provider.name',
  genAiRequestModel: 'gen_ai.request.model',
  genAiRequestStream: 'gen_ai.request.stream',
  genAiRequestMaxTokens: 'gen_ai.request.max_tokens',
  genAiResponseModel: 'gen_ai.response.model',
  genAiResponseId: 'gen_ai.response.id',
  genAiFinishReasons: 'gen_ai.response.finish_reasons',
  genAiInputTokens: 'gen_ai.usage.input_tokens',
  genAiOutputTokens: 'gen_ai.usage.output_tokens',
  genAiTimeToFirstChunk: 'gen_ai.response.time_to_first_chunk',

  requestId: 'sallyport.request.id',
  routeClass: 'sallyport.route.class',
  costUsd: 'sallyport.cost.usd',
  attempt: 'sallyport.attempt',
  configVersion: 'sallyport.config.version',
  consultService: 'sallyport.consult.service',
  consultMode: 'sallyport.consult.mode',
} as const;
