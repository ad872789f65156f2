import nock from 'nock';
import { expect, it, afterEach } from 'vitest';
import { createTransport } from '../../src/registry/transport.ts';
import { openRepository } from '../../src/registry/repository.ts';
it('x', async () => {
  nock.disableNetConnect();
  nock('https://registry-1.docker.io').head('/v2/library/alpine/manifests/latest').reply(401, '', {'www-authenticate':'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"'});
  nock('https://auth.docker.io').get('/token').query({service:'registry.docker.io', scope:'repository:library/alpine:pull'}).reply(200,{token:'abc'});
  nock('https://registry-1.docker.io').head('/v2/library/alpine/manifests/latest').matchHeader('authorization','Bearer abc').reply(200, '', {'content-type':'application/vnd.oci.image.index.v1+json','content-length':'12','docker-content-digest':'sha256:'+'a'.repeat(64)});
  const t = createTransport({retry:{retries:0}});
  const r = openRepository(t,{registry:'docker.io',repository:'library/alpine'});
  console.log(await r.resolve({registry:'docker.io',repository:'library/alpine',tag:'latest'}));
  await t.close();
  expect(nock.isDone()).toBe(true);
});
