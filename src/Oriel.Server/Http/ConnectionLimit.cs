using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Oriel.Server.Http;

/// <summary>
/// How many connections the server holds open, in all and from one host (<see cref="ClientHost"/>), so that nobody who is not signed in
/// takes its descriptors. One that is too many is closed before a byte of it is read. Safe for concurrent use.
/// </summary>
internal sealed class ConnectionLimit(int total = ConnectionLimit.Total, int perAddress = ConnectionLimit.PerAddress)
{
    /// <summary>Each costs a descriptor and some 20 KB.</summary>
    public const int Total = 4096;

    /// <summary>A browser takes six for requests and more for WebSockets; everybody of this host comes from one address.</summary>
    public const int PerAddress = 1024;

    private readonly ConcurrentDictionary<IPAddress, int> _open = new();
    private int _all;

    public ConnectionDelegate Around(ConnectionDelegate next) =>
        async connection =>
        {
            var address = ClientHost.Of((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None);
            if (!TryEnter(address))
            {
                connection.Abort();
                return;
            }

            try
            {
                await next(connection);
            }
            finally
            {
                Leave(address);
            }
        };

    internal bool TryEnter(IPAddress address)
    {
        if (Interlocked.Increment(ref _all) <= total && _open.AddOrUpdate(address, 1, (_, open) => open + 1) is var open)
        {
            if (open <= perAddress)
            {
                return true;
            }

            Forget(address);
        }

        Interlocked.Decrement(ref _all);
        return false;
    }

    internal void Leave(IPAddress address)
    {
        Forget(address);
        Interlocked.Decrement(ref _all);
    }

    private void Forget(IPAddress address)
    {
        if (_open.AddOrUpdate(address, 0, (_, open) => open - 1) == 0)
        {
            _open.TryRemove(KeyValuePair.Create(address, 0));
        }
    }
}
