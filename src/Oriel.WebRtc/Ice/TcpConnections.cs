namespace Oriel.WebRtc.Ice;

/// <summary>
/// The TCP connections that name one peer. Their number is bounded, and they close with the peer. Safe for concurrent use.
/// </summary>
internal sealed class TcpConnections
{
    private const int Most = 16;

    private readonly Lock _lock = new();
    private readonly List<TcpPath> _paths = []; // oldest first
    private bool _isClosed;

    /// <summary>
    /// False when the peer is closed or already has the maximum of claimed connections. A connection that still waits for its check gives
    /// way to a newer one, so knowing only the username fragment is not enough to keep the peer out.
    /// </summary>
    public bool TryAdd(TcpPath path)
    {
        TcpPath? displaced = null;
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            if (_paths.Count == Most)
            {
                displaced = _paths.Find(p => !p.IsTaken);
                if (displaced is null)
                {
                    return false;
                }

                _paths.Remove(displaced);
            }

            _paths.Add(path);
        }

        displaced?.Close();
        return true;
    }

    public void Remove(TcpPath path)
    {
        lock (_lock)
        {
            _paths.Remove(path);
        }
    }

    /// <summary>Closes all connections and refuses later ones.</summary>
    public void Close()
    {
        TcpPath[] left;
        lock (_lock)
        {
            _isClosed = true;
            left = [.. _paths];
            _paths.Clear();
        }

        Array.ForEach(left, path => path.Close());
    }
}
