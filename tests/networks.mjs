// The web server of tests/networks.sh, at every address of its side.
import { createServer } from 'node:http';
createServer((request, response) => {
  const to = /^\/to\/(.+)/.exec(request.url);
  response.writeHead(to ? 302 : 200, to ? { Location: to[1] } : {}).end('reached\n');
}).listen(8000, '::');
