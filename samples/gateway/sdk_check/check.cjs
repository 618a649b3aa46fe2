// The vendor's SDKs, unchanged, place orders at the simulated gateway: every transport and both
// signatures, long-lived and temporary credentials, and errors that must arrive as the SDKs'
// own error objects. Usage: node check.cjs PORT EXECUTED.jsonl (NODE_EXTRA_CA_CERTS set).
'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const PopCore = require('@alicloud/pop-core');
const OpenApi = require('@alicloud/openapi-client');
const Util = require('@alicloud/tea-util');

const [port, executedFile] = process.argv.slice(2);
const action = 'CreateSmartAccessGatewaySoftware';
const apiVersion = '2018-03-13';
const order = {
  RegionId: 'cn-shanghai', UserCount: '5', Period: '12', DataPlan: '5', ChargeType: 'PREPAY',
  AutoPay: 'true', ResourceGroupId: "rg-a b*~+/=%é阿'()!",
};
const plain = { accessKeyId: 'testid', accessKeySecret: 'testsecret' };
const temporary = { accessKeyId: 'stsid', accessKeySecret: 'stssecret',
                    securityToken: 'CAIS+/=test*~token' };

function popCore(method, credential) {
  const client = new PopCore({ ...credential, endpoint: `https://localhost:${port}`, apiVersion });
  return (parameters) => client.request(action, parameters, { method });
}

function openApi(where, method, credential, signatureAlgorithm) {
  const Config = OpenApi.Config;
  const client = new OpenApi.default(new Config({
    ...credential, endpoint: `localhost:${port}`, signatureAlgorithm }));
  const params = new OpenApi.Params({
    action, version: apiVersion, protocol: 'HTTPS', pathname: '/', method, authType: 'AK',
    style: 'RPC', reqBodyType: 'formData', bodyType: 'json' });
  return async (parameters) => {
    const request = new OpenApi.OpenApiRequest({ [where]: parameters });
    const answer = await client.callApi(params, request,
                                        new Util.RuntimeOptions({ autoretry: false }));
    return answer.body;
  };
}

const ways = {
  'pop-core GET': popCore('GET', plain),
  'pop-core POST': popCore('POST', plain),
  'pop-core POST, temporary': popCore('POST', temporary),
  'openapi ACS3 POST, query': openApi('query', 'POST', plain),
  'openapi ACS3 GET, query': openApi('query', 'GET', plain),
  'openapi ACS3 POST, form': openApi('body', 'POST', plain),
  'openapi ACS3 POST, query, temporary': openApi('query', 'POST', temporary),
  'openapi ACS3 POST, form, temporary': openApi('body', 'POST', temporary),
  'openapi v2 POST, query': openApi('query', 'POST', plain, 'v2'),
  'openapi v2 POST, form': openApi('body', 'POST', plain, 'v2'),
  'openapi v2 POST, query, temporary': openApi('query', 'POST', temporary, 'v2'),
};
const stranger = { accessKeyId: 'testid', accessKeySecret: 'wrong' };
const refusals = [
  ['pop-core', popCore('POST', plain), { ...order, UserCount: '0' }, 'SAG.InvalidUserCount'],
  ['openapi', openApi('query', 'POST', plain), { ...order, UserCount: '0' }, 'SAG.InvalidUserCount'],
  ['pop-core', popCore('GET', stranger), order, 'SignatureDoesNotMatch'],
  ['openapi', openApi('query', 'POST', stranger), order, 'SignatureDoesNotMatch'],
];

function lines() {
  return fs.readFileSync(executedFile, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
}

(async () => {
  for (const [name, place] of Object.entries(ways)) {
    const before = lines().length;
    const answer = await place(order);
    const log = lines();
    const last = log[log.length - 1];
    assert.equal(log.length, before + 1, name);
    assert.equal(String(answer.OrderId), last.order_id, name);
    assert.equal(answer.SmartAGId, last.sag_id, name);
    assert.equal(answer.RequestId, last.request_id, name);
    assert.equal(last.resource_group_id, order.ResourceGroupId, name);
    console.log(`ok  ${name}: ${last.scheme} ${last.order_id}`);
  }
  for (const [name, place, parameters, code] of refusals) {
    const before = lines().length;
    await assert.rejects(place(parameters), (error) => error.code === code, `${name} ${code}`);
    assert.equal(lines().length, before, `${name} ${code}`);
    console.log(`ok  ${name}: refused ${code}`);
  }
  process.exit(0);  // the SDKs' keep-alive agents would hold the process
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
