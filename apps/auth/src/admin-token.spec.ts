import { randomBytes } from 'node:crypto';
import { adminTokenProblem, drawAdminToken } from './admin-token';

describe('admin tokens', () => {
  it('accepts what it draws', () => {
    for (let round = 0; round < 200; round++) expect(adminTokenProblem(drawAdminToken(randomBytes))).toBeUndefined();
  });

  it('accepts random text of an operator', () => {
    for (let round = 0; round < 200; round++) {
      expect(adminTokenProblem(randomBytes(24).toString('hex'))).toBeUndefined();
      expect(adminTokenProblem(randomBytes(24).toString('base64url'))).toBeUndefined();
    }
  });

  it.each([
    ['', /at least 24/],
    ['changeme', /at least 24/],
    ['changeme-changeme-changeme', /default/],
    ['please-change-this-admin-token', /default/],
    ['admin-admin-admin-admin-admin', /default/],
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', /default/],
    ['0123456789012345678901234567890', /default/],
    ['sallyport-default-secret-0000', /default/],
    ['your_admin_token_placeholder', /default/],
    ['a token with spaces in it, long', /letters, digits/],
  ])('S8 refuses %s', (token, problem) => {
    expect(adminTokenProblem(token)).toMatch(problem);
  });
});
