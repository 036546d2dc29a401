namespace Oriel.Agents;

/// <summary>Finds the prefix in front of each message, in bytes that come in pieces of any size.</summary>
/// <param name="prefixBytes">Length of each prefix.</param>
/// <param name="judge">Answers how many bytes follow a prefix; throws where it is refused.</param>
internal sealed class PrefixScanner(int prefixBytes, PrefixScanner.Judge judge)
{
    private readonly byte[] _prefix = new byte[prefixBytes];
    private int _have;
    private long _left;

    public delegate long Judge(ReadOnlySpan<byte> prefix);

    public void Scan(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_left > 0)
            {
                var rest = (int)Math.Min(_left, bytes.Length);
                _left -= rest;
                bytes = bytes[rest..];
                continue;
            }

            var part = Math.Min(prefixBytes - _have, bytes.Length);
            bytes[..part].CopyTo(_prefix.AsSpan(_have));
            _have += part;
            bytes = bytes[part..];
            if (_have == prefixBytes)
            {
                _have = 0;
                _left = judge(_prefix);
            }
        }
    }
}
