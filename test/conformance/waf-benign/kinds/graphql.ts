import { browserFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import type { Vocabulary } from '../vocabulary';

/** A page asks a GraphQL API. */
export const graphql: Kind = (random, vocabulary) => {
  const operation = random.pick(operations)(random, vocabulary);
  const batch = random.happens(10) ? [operation, random.pick(operations)(random, vocabulary)] : operation;
  return {
    profile: 'graphql',
    method: 'POST',
    target: random.pick(['/graphql', '/api/graphql?op=1', '/query']),
    fields: [...browserFields(random), ['Content-Type', 'application/json'], ['apollographql-client-name', 'web']],
    body: Buffer.from(JSON.stringify(batch)),
  };
};

interface Operation {
  readonly operationName?: string;
  readonly query: string;
  readonly variables?: unknown;
  readonly extensions?: unknown;
}

const operations: readonly ((random: Random, words: Vocabulary) => Operation)[] = [
  (random) => ({
    operationName: 'Orders',
    query:
      'query Orders($first: Int!, $after: String) {\n  orders(first: $first, after: $after, orderBy: {field: CREATED_AT, direction: DESC}) {\n    edges { node { id name total { amount currency } customer { ...CustomerName } } cursor }\n    pageInfo { hasNextPage endCursor }\n  }\n}\n\nfragment CustomerName on Customer { id firstName lastName }',
    variables: { first: random.between(1, 100), after: random.bytes(12).toString('base64') },
  }),
  (random, words) => ({
    operationName: 'AddComment',
    query:
      'mutation AddComment($input: AddCommentInput!) { addComment(input: $input) { comment { id body author { login } } errors { field message } } }',
    variables: { input: { postId: random.uuid(), body: words.text(1, 4), clientMutationId: random.hex(8) } },
  }),
  (_, words) => ({
    query: `{ search(query: "${words.slug()}", type: PRODUCT, first: 10) { nodes { __typename ... on Product { id title price } } } }`,
  }),
  (random) => ({
    operationName: 'UpdateUser',
    query:
      'mutation UpdateUser($id: ID!, $set: users_set_input!) { update_users_by_pk(pk_columns: {id: $id}, _set: $set) { id email updated_at } }',
    variables: { id: random.uuid(), set: { locale: 'de', newsletter: true } },
  }),
  (random) => ({
    query:
      'query Users($where: users_bool_exp) { users(where: $where, limit: 10, order_by: {name: asc}) { id name orders_aggregate { aggregate { count } } } }',
    variables: {
      where: { age: { _gt: random.int(90) }, _or: [{ city: { _eq: 'Leeds' } }, { city: { _is_null: true } }] },
    },
  }),
  (random) => ({
    operationName: 'Product',
    query:
      'query Product($slug: String!, $withReviews: Boolean = false) { product(slug: $slug) { id title description(format: MARKDOWN) images(first: 5) { url(transform: {maxWidth: 800}) alt } reviews @include(if: $withReviews) { rating text } } }',
    variables: { slug: 'desk-lamp', withReviews: random.happens(50) },
  }),
  (random) => ({
    query: '',
    operationName: 'Cart',
    variables: {},
    extensions: { persistedQuery: { version: 1, sha256Hash: random.hex(64) } },
  }),
  () => ({
    operationName: 'IntrospectionQuery',
    query:
      'query IntrospectionQuery { __schema { queryType { name } mutationType { name } types { kind name description fields(includeDeprecated: true) { name args { name type { kind name ofType { kind name } } defaultValue } } } directives { name locations } } }',
  }),
  (random, words) => ({
    operationName: 'CreateOrder',
    query:
      'mutation CreateOrder($lines: [OrderLineInput!]!, $note: String) { createOrder(lines: $lines, note: $note) { order { id status } userErrors { message } } }',
    variables: {
      note: words.sentence(),
      lines: random.times(1, 5, () => ({ sku: `A-${random.int(99)}`, quantity: random.between(1, 9) })),
    },
  }),
];
