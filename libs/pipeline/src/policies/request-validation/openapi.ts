import { isJsonType } from '@sallyport/waf';
import { SchemaDocument, type Validator } from '../../json-schema/schema-document';
import { SchemaError, type Dialect } from '../../json-schema/schema-compiler';
import { isObject, type Members } from '../../json-schema/values';
import { readPointer, writePointer } from '../../json/pointer';
import { spelledAsInPaths } from '../../path-template';
import { isSpread, namesOf, unescaped, type Parameter, type ParameterPlace, type Style } from './parameters';
import { TextShape } from './text-shape';

/** What one operation takes. */
export interface Operation {
  readonly parameters: readonly Parameter[];
  /** Undefined: the operation has no body. */
  readonly body: BodyRule | undefined;
}

export interface BodyRule {
  readonly required: boolean;
  /** In the order in which they are tried: exact ones first. */
  readonly contents: readonly BodyContent[];
}

export interface BodyContent {
  /** `application/json`, `text/*` or any other range */
  readonly range: string;
  /** Undefined: anything of this type will do. */
  readonly validate: Validator | undefined;
  readonly shape: TextShape;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;
const MAX_OPERATIONS = 2_000;

/** Operations of a document by path template. */
export class OperationTable {
  constructor(
    private readonly paths: readonly {
      readonly template: Template;
      readonly operations: ReadonlyMap<string, Operation>;
    }[],
  ) {}

  /** @returns the operation with the parts of the path as they stand there, the methods there are, or undefined where the path is not described. */
  find(
    method: string,
    path: string,
  ):
    | { readonly operation: Operation; readonly path: ReadonlyMap<string, readonly string[]> }
    | { readonly allow: string }
    | undefined {
    for (const { template, operations } of this.paths) {
      const found = template.match(path);
      if (!found) continue;
      const operation = operations.get(method) ?? (method === 'HEAD' ? operations.get('GET') : undefined);
      return operation ? { operation, path: found } : { allow: [...operations.keys()].join(', ') };
    }
    return undefined;
  }
}

/**
 * Compiles an OpenAPI 3.0 or 3.1 document, or the part of one that has paths and what they refer to.
 * @throws SchemaError
 */
export function compileOpenApi(root: Members): OperationTable {
  return new OpenApiCompiler(root).table();
}

class OpenApiCompiler {
  private readonly document: SchemaDocument;

  constructor(private readonly root: Members) {
    this.document = new SchemaDocument(root, dialectOf(root));
  }

  table(): OperationTable {
    const paths = this.root['paths'];
    if (!isObject(paths)) throw new SchemaError('/paths', 'must be an object of paths');
    let operations = 0;
    const compiled = Object.entries(paths)
      .filter(([path]) => !path.startsWith('x-'))
      .map(([path, item]) => {
        const pointer = `/paths${writePointer([path])}`;
        const template = new Template(path, pointer);
        const followed = this.follow(item, pointer);
        if (!isObject(followed.node)) throw new SchemaError(pointer, 'must be an object');
        const methods = METHODS.filter((method) => isObject((followed.node as Members)[method]));
        operations += methods.length;
        if (operations > MAX_OPERATIONS)
          throw new SchemaError('/paths', `must have at most ${MAX_OPERATIONS} operations`);
        const of = followed.node;
        return {
          template,
          operations: new Map(
            methods.map((method) => [
              method.toUpperCase(),
              this.operation(of, of[method] as Members, `${followed.pointer}/${method}`),
            ]),
          ),
        };
      });
    // OpenAPI 3.1 §4.8.8.2: concrete paths are matched before templated ones.
    return new OperationTable(compiled.sort((one, other) => one.template.parameters - other.template.parameters));
  }

  private operation(item: Members, operation: Members, pointer: string): Operation {
    const parameters = new Map<string, Parameter>();
    for (const [list, at] of [
      [item['parameters'], pointer.slice(0, pointer.lastIndexOf('/'))],
      [operation['parameters'], pointer],
    ] as const) {
      if (!Array.isArray(list)) continue;
      list.forEach((entry: unknown, index) => {
        const { node, pointer: place } = this.follow(entry, `${at}/parameters/${index}`);
        const parameter = this.parameter(node, place);
        if (parameter) parameters.set(`${parameter.in} ${parameter.name}`, parameter);
      });
    }
    return {
      parameters: [...parameters.values()].map((parameter, _, all) =>
        isSpread(parameter)
          ? { ...parameter, isOther: namesOf(all.filter((other) => other !== parameter)) }
          : parameter,
      ),
      body: this.body(operation['requestBody'], `${pointer}/requestBody`),
    };
  }

  private parameter(node: unknown, pointer: string): Parameter | undefined {
    if (!isObject(node)) throw new SchemaError(pointer, 'must be a parameter');
    const { name, in: place } = node;
    if (typeof name !== 'string' || name === '') throw new SchemaError(`${pointer}/name`, 'must be a name');
    if (!['path', 'query', 'header', 'cookie'].includes(place as string))
      throw new SchemaError(`${pointer}/in`, 'must be path, query, header or cookie');
    const where = place as ParameterPlace;
    // OpenAPI 3.1 §4.8.12.2.1: these are described elsewhere.
    if (where === 'header' && /^(accept|content-type|authorization)$/i.test(name)) return undefined;
    const content = isObject(node['content']) ? Object.entries(node['content'])[0] : undefined;
    const schemaAt = content ? `${pointer}/content${writePointer([content[0]])}/schema` : `${pointer}/schema`;
    const schema = content ? (content[1] as Members)['schema'] : node['schema'];
    const style = styleOf(node['style'], where, pointer);
    return {
      in: where,
      name: where === 'header' ? name.toLowerCase() : name,
      required: where === 'path' || node['required'] === true,
      style,
      explode: typeof node['explode'] === 'boolean' ? node['explode'] : style === 'form',
      isJson: content !== undefined && isJsonType(content[0]),
      // OAS 3.1 §4.8.12.2: valid for the query only.
      allowEmpty: where === 'query' && node['allowEmptyValue'] === true,
      shape: TextShape.of(this.document, schema ?? true, schemaAt),
      validate: this.validator(schema, schemaAt),
      isOther: () => false,
    };
  }

  private body(node: unknown, at: string): BodyRule | undefined {
    if (node === undefined) return undefined;
    const { node: body, pointer } = this.follow(node, at);
    if (!isObject(body) || !isObject(body['content']))
      throw new SchemaError(`${pointer}/content`, 'must name media types');
    const contents = Object.entries(body['content']).map(([type, media]): BodyContent => {
      const range = type.toLowerCase().split(';')[0]!.trim();
      if (!/^[^/\s]+\/[^/\s]+$/.test(range))
        throw new SchemaError(`${pointer}/content${writePointer([type])}`, 'must be a media type');
      const schemaAt = `${pointer}/content${writePointer([type])}/schema`;
      const schema = isObject(media) ? media['schema'] : undefined;
      return {
        range,
        validate: schema === undefined ? undefined : this.validator(schema, schemaAt),
        shape: TextShape.of(this.document, schema ?? true, schemaAt),
      };
    });
    const wildness = ({ range }: BodyContent) => range.split('*').length;
    return {
      required: body['required'] === true,
      contents: contents.sort((one, other) => wildness(one) - wildness(other)),
    };
  }

  private validator(schema: unknown, pointer: string): Validator {
    return schema === undefined ? () => undefined : this.document.validator(pointer);
  }

  /** References between the parts of a document that are no schemas. */
  private follow(node: unknown, pointer: string): { node: unknown; pointer: string } {
    let [at, found] = [pointer, node];
    for (let hops = 0; hops < 8 && isObject(found) && typeof found['$ref'] === 'string'; hops++) {
      const parts = found['$ref'].startsWith('#') ? readPointer(unescaped(found['$ref'].slice(1)) ?? '~') : undefined;
      let target: unknown = parts ? this.root : undefined;
      for (const part of parts ?? [])
        target =
          typeof target === 'object' && target !== null && Object.hasOwn(target, part)
            ? (target as Members)[part]
            : undefined;
      if (target === undefined)
        throw new SchemaError(`${at}/$ref`, 'names what is not in this document; nothing is fetched');
      [found, at] = [target, writePointer(parts!)];
    }
    return { node: found, pointer: at };
  }
}

function dialectOf(root: Members): Dialect {
  const version = root['openapi'];
  if (typeof version === 'string' && /^3\.0\.\d+$/.test(version)) return 'openapi-3.0';
  if (typeof version === 'string' && /^3\.1\.\d+$/.test(version)) return '2020-12';
  throw new SchemaError('/openapi', 'must be a version 3.0 or 3.1');
}

const STYLES: Readonly<Record<ParameterPlace, readonly Style[]>> = {
  path: ['simple'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
};

function styleOf(named: unknown, place: ParameterPlace, pointer: string): Style {
  const styles = STYLES[place];
  if (named === undefined) return styles[0]!;
  const style = styles.find((known) => known === named);
  if (!style) throw new SchemaError(`${pointer}/style`, `must be ${styles.join(' or ')}`);
  return style;
}

/** A path with named parts, one a segment, with text around it perhaps. */
class Template {
  readonly parameters: number;
  private readonly segments: readonly { before: string; name: string | undefined; after: string }[];

  constructor(path: string, pointer: string) {
    if (!path.startsWith('/')) throw new SchemaError(pointer, 'must begin with a slash');
    this.segments = path
      .slice(1)
      .split('/')
      .map((segment) => {
        const parts = /^([^{}]*)(?:\{([^{}]+)\}([^{}]*))?$/.exec(segment);
        if (!parts) throw new SchemaError(pointer, 'must have at most one {name} in each segment');
        return { before: spelledAsInPaths(parts[1]!), name: parts[2], after: spelledAsInPaths(parts[3] ?? '') };
      });
    this.parameters = this.segments.filter(({ name }) => name !== undefined).length;
  }

  match(path: string): ReadonlyMap<string, readonly string[]> | undefined {
    const parts = path.slice(1).split('/');
    if (parts.length !== this.segments.length) return undefined;
    const found = new Map<string, readonly string[]>();
    for (const [at, { before, name, after }] of this.segments.entries()) {
      const part = parts[at]!;
      if (name === undefined) {
        if (part !== before) return undefined;
        continue;
      }
      if (part.length <= before.length + after.length || !part.startsWith(before) || !part.endsWith(after))
        return undefined;
      const value = part.slice(before.length, part.length - after.length);
      if (unescaped(value) === undefined) return undefined;
      found.set(name, [value]);
    }
    return found;
  }
}
