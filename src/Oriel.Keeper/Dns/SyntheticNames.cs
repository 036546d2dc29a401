using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Oriel.Keeper.Dns;

/// <summary>
/// Names that a guest has asked for, each with an address of 198.18.0.0/15 (RFC 2544: never on the internet) that stands for it, so that a
/// connection to the address can be taken as one to the name. Bounded: the name longest unused goes first, never one that a connection is
/// using; and addresses are given out in turn, so one is used again only after over a hundred thousand others. Safe from any thread.
/// </summary>
public sealed class SyntheticNames
{
    public const int DefaultCapacity = 16384;

    /// <summary>198.18.0.1 to 198.19.255.254.</summary>
    public const int AddressCount = (1 << 17) - 2;

    private const uint First = 0xC6120001;

    /// <summary>As many lines as there are entries, of the longest name.</summary>
    private const long MaxSavedBytes = DefaultCapacity * 280L;

    private readonly Lock _lock = new();
    private readonly int _capacity;
    private readonly Dictionary<string, Entry> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<uint, Entry> _byAddress = [];
    private readonly LinkedList<Entry> _byUse = [];
    private uint _next;

    public SyntheticNames(int capacity = DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, AddressCount / 2);
        _capacity = capacity;
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _byName.Count;
            }
        }
    }

    /// <summary>The table of a machine that is copied from this one.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(string path)
    {
        lock (_lock)
        {
            File.WriteAllLines(path, _byUse.Select(entry => $"{ToAddress(entry.Address)} {entry.Name}").Prepend($"{_next % AddressCount}"));
        }
    }

    /// <summary>Goes on with a saved table: an address that a program holds is its name's, or nobody's.</summary>
    /// <exception cref="IOException">The file is not what <see cref="Save"/> writes.</exception>
    public static SyntheticNames Load(string path)
    {
        if (new FileInfo(path).Length > MaxSavedBytes)
        {
            throw new IOException($"{path} is larger than {MaxSavedBytes} bytes.");
        }

        var names = new SyntheticNames();
        using var lines = File.ReadLines(path).GetEnumerator();
        if (!lines.MoveNext() || !uint.TryParse(lines.Current, NumberStyles.None, CultureInfo.InvariantCulture, out names._next))
        {
            throw new IOException($"{path} is no table of names.");
        }

        while (lines.MoveNext())
        {
            var (address, name) = lines.Current.Split(' ') is [var first, var second] ? (first, second) : ("", "");
            if (
                names.Count >= names._capacity
                || !IPAddress.TryParse(address, out var parsed)
                || !Contains(parsed)
                || !TryNumber(parsed, out var number)
                || !names.TryAdd(name, number)
            )
            {
                throw new IOException($"{path} is no table of names.");
            }
        }

        return names;
    }

    public static bool Contains(IPAddress address) => TryNumber(address, out var number) && number - First < AddressCount;

    /// <param name="name">Valid and lower case (<see cref="DnsName"/>), without the root's dot.</param>
    /// <returns>The name's address; null when every entry is in use, which takes more connections than a keeper allows.</returns>
    public IPAddress? AddressOf(string name)
    {
        lock (_lock)
        {
            if (_byName.TryGetValue(name, out var known))
            {
                Touch(known);
                return ToAddress(known.Address);
            }

            if (_byName.Count >= _capacity && !TryEvict())
            {
                return null;
            }

            var address = NextFree();
            TryAdd(name, address);
            return ToAddress(address);
        }
    }

    public string? NameOf(IPAddress address)
    {
        lock (_lock)
        {
            return TryNumber(address, out var number) && _byAddress.TryGetValue(number, out var entry) ? entry.Name : null;
        }
    }

    /// <summary>The name behind an address, held until disposed; <see cref="Lease.Host"/> is null where there is none.</summary>
    public Lease Acquire(IPAddress address)
    {
        lock (_lock)
        {
            if (!TryNumber(address, out var number) || !_byAddress.TryGetValue(number, out var entry))
            {
                return new Lease(null, null);
            }

            entry.Uses++;
            Touch(entry);
            return new Lease(this, entry);
        }
    }

    private bool TryAdd(string name, uint address)
    {
        var entry = new Entry(name, address);
        if (name.Length == 0 || _byName.ContainsKey(name) || !_byAddress.TryAdd(address, entry))
        {
            return false;
        }

        _byName.Add(name, entry);
        entry.Node = _byUse.AddLast(entry);
        return true;
    }

    private static IPAddress ToAddress(uint number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, number);
        return new IPAddress(bytes);
    }

    private static bool TryNumber(IPAddress address, out uint number)
    {
        Span<byte> bytes = stackalloc byte[16];
        var isV4 = address.TryWriteBytes(bytes, out var written) && written == 4;
        number = isV4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;
        return isV4;
    }

    private void Touch(Entry entry)
    {
        _byUse.Remove(entry.Node!);
        _byUse.AddLast(entry.Node!);
    }

    private bool TryEvict()
    {
        for (var node = _byUse.First; node is not null; node = node.Next)
        {
            if (node.Value.Uses == 0)
            {
                _byUse.Remove(node);
                _byName.Remove(node.Value.Name);
                _byAddress.Remove(node.Value.Address);
                return true;
            }
        }

        return false;
    }

    private uint NextFree()
    {
        while (true)
        {
            var address = First + (_next++ % AddressCount);
            if (!_byAddress.ContainsKey(address))
            {
                return address;
            }
        }
    }

    private void Release(Entry entry)
    {
        lock (_lock)
        {
            entry.Uses--;
        }
    }

    internal sealed class Entry(string name, uint address)
    {
        public string Name { get; } = name;

        public uint Address { get; } = address;

        public LinkedListNode<Entry>? Node { get; set; }

        public int Uses { get; set; }
    }

    /// <summary>Holds a name's address while a connection uses it; disposed by the connection's owner, once.</summary>
    public sealed class Lease : IDisposable
    {
        private readonly SyntheticNames? _names;
        private Entry? _entry;

        internal Lease(SyntheticNames? names, Entry? entry)
        {
            _names = names;
            _entry = entry;
            Host = entry?.Name;
        }

        public string? Host { get; }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _entry, null) is { } entry)
            {
                _names!.Release(entry);
            }
        }
    }
}
