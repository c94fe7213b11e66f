import type { RequestHead } from '@sallyport/contracts';
import type { Bytes } from '../bytes';
import type { Plan } from '../plan';
import { Base64View } from './base64-view';
import { FileView, OpaqueView, PlainView, type BodyView } from './body-view';
import { processorOf } from './content-type';
import { FormView } from './form-view';
import { parseBody } from './parse-body';
import { bodyLimits, type ParsedBody } from './parsed-body';

/** Bodies that are opaque: what they hold is no text, and rules over text find in them what is not there. */
const OPAQUE = ['application/grpc', 'image/', 'audio/', 'video/', 'font/'];

/** @returns what rules get to see of the body that belongs to a head */
export function viewOf({ mediaType = '', field }: RequestHead, { body }: Plan): BodyView {
  const { inspectBytes, over, files } = body;
  if (OPAQUE.some((prefix) => mediaType.startsWith(prefix))) return new OpaqueView();
  if (over !== 'files') return new PlainView(inspectBytes);
  const contentType = field.get('content-type') ?? '';
  switch (processorOf(contentType)) {
    case 'MULTIPART':
      return FormView.of(contentType, inspectBytes) ?? new PlainView(inspectBytes);
    case 'JSON':
      return files === 'base64' ? new Base64View(inspectBytes) : new PlainView(inspectBytes);
    case undefined:
      return files === 'bodies' ? new FileView(inspectBytes) : new PlainView(inspectBytes);
    default:
      return new PlainView(inspectBytes);
  }
}

/** @returns a form of which files are shown in part, as its own reader has it; undefined: whoever runs the rules can read what is shown. */
export function formOf({ field }: RequestHead, view: BodyView, raw: Bytes): ParsedBody | undefined {
  if (!(view instanceof FormView) || view.gaps.length === 0) return undefined;
  const limits = { ...bodyLimits, cut: view.tooLong, gaps: view.gaps };
  return parseBody('MULTIPART', field.get('content-type') ?? '', raw, limits);
}
