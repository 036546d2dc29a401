using System.Buffers.Binary;
using Microsoft.Extensions.Time.Testing;
using Oriel.WebRtc.Sctp;

namespace Oriel.WebRtc.Tests.Sctp;

/// <summary>
/// Mutated packets against an association that stands, one that waits and one that is new. Checksum, tag and sequence numbers are made
/// right first, so that a mutation gets past the door.
/// </summary>
public sealed class SctpFuzzTests
{
    [Fact]
    public void Receive_Mutated_NeverThrowsAndStaysBounded()
    {
        var standing = new Standing();
        Fuzzer.Run(
            "sctp",
            input =>
            {
                standing.Throw(input);
                if (standing.Association.State == AssociationState.Ended || standing.Inputs > 500)
                {
                    standing.Association.Dispose();
                    standing = new Standing();
                }
            }
        );
        standing.Association.Dispose();
    }

    [Fact]
    public void Receive_MutatedBeforeEstablished_NeverThrows() =>
        Fuzzer.Run(
            "sctp",
            input =>
            {
                var clock = new FakeTimeProvider();
                var packet = input.ToArray();
                if (packet.Length < SctpWire.HeaderLength)
                {
                    packet = new byte[SctpWire.HeaderLength];
                }

                packet.AsSpan(4, 4).Clear();
                SctpWire.WriteChecksum(packet);
                using var fresh = new SctpAssociation(new SctpOptions(), _ => { }, clock);
                fresh.Receive(input);
                fresh.Receive(packet);

                uint tag = 0;
                using var waiting = new SctpAssociation(
                    new SctpOptions(),
                    sent => tag = BinaryPrimitives.ReadUInt32BigEndian(sent.Span[16..]),
                    clock
                );
                waiting.Start();
                BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(4), tag);
                SctpWire.WriteChecksum(packet);
                waiting.Receive(packet);
            }
        );

    [Fact]
    public void ChannelOpen_Mutated_NeverThrows() => Fuzzer.Run("sctp", input => ChannelOpenMessage.Parse(input));

    /// <summary>Writes the seed corpus from real traffic; run it by name after a change of the format.</summary>
    [Fact(Explicit = true)]
    public void Seeds_Write()
    {
        var folder = Path.Combine(Environment.GetEnvironmentVariable("ORIEL_TEST_SOURCE")!, "tests", "fuzz-seeds", "sctp");
        Directory.CreateDirectory(folder);
        var seen = new Dictionary<string, int>();
        using var pair = new SctpPair(7, client: new SctpOptions { HeartbeatInterval = TimeSpan.FromSeconds(2) })
        {
            Loss = 0.1,
            Jitter = 10,
        };
        pair.Filter = (_, packet) =>
        {
            var name = $"{packet[12]:x2}-{packet[13]:x2}";
            seen[name] = seen.GetValueOrDefault(name) + 1;
            if (seen[name] <= 2)
            {
                File.WriteAllBytes(Path.Combine(folder, $"{name}-{seen[name]}.bin"), packet);
            }

            return true;
        };
        pair.Connect();
        var ordered = pair.Client.OpenChannel("control");
        var loose = pair.Client.OpenChannel("pointer", ordered: false, maxRetransmits: 0);
        for (var i = 0; i < 200; i++)
        {
            ordered.TrySend(new byte[40 + (i * 20)], text: false);
            loose.TrySend(new byte[8], text: false);
            pair.Run(0.02);
        }

        ordered.Close();
        pair.Run(10);
        pair.Client.Shutdown();
        pair.Run(10);
    }

    /// <summary>An established association with channels, and what is needed to speak to it credibly.</summary>
    private sealed class Standing
    {
        private readonly FakeTimeProvider _clock = new();
        private readonly SctpAssociation _peer;
        private uint _tag;
        private uint _peerTsn;
        private uint _ownTsn;

        public Standing()
        {
            SctpAssociation? association = null;
            Queue<(SctpAssociation To, byte[] Packet)> wire = new();
            _peer = new SctpAssociation(
                new SctpOptions { IsDtlsClient = true },
                packet => wire.Enqueue((association!, packet.ToArray())),
                _clock
            );
            association = Association = new SctpAssociation(
                new SctpOptions(),
                packet =>
                {
                    Note(packet.Span);
                    wire.Enqueue((_peer, packet.ToArray()));
                },
                _clock
            );
            Association.ChannelOpened += channel => channel.MessageReceived += (data, text) => channel.TrySend(data.Span, text);
            _peer.Start();
            _peer.OpenChannel("control");
            _peer.OpenChannel("pointer", ordered: false, maxRetransmits: 0);
            for (var round = 0; round < 20; round++)
            {
                while (wire.TryDequeue(out var next))
                {
                    if (next.To == Association)
                    {
                        _tag = BinaryPrimitives.ReadUInt32BigEndian(next.Packet.AsSpan(4));
                    }

                    next.To.Receive(next.Packet);
                }

                _clock.Advance(TimeSpan.FromMilliseconds(50));
            }

            Assert.Equal(AssociationState.Established, Association.State);
        }

        public SctpAssociation Association { get; }

        public int Inputs { get; private set; }

        public void Throw(ReadOnlySpan<byte> input)
        {
            Inputs++;
            Association.Receive(input);
            var packet = input.ToArray();
            if (packet.Length <= SctpWire.HeaderLength)
            {
                return;
            }

            BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(4), packet[12] == ChunkType.Init ? 0 : _tag);
            for (var at = SctpWire.HeaderLength; at + 8 <= packet.Length; )
            {
                var sequence = packet.AsSpan(at + 4, 4);
                switch (packet[at])
                {
                    case ChunkType.Data or ChunkType.ForwardTsn:
                        BinaryPrimitives.WriteUInt32BigEndian(sequence, _peerTsn + (sequence[3] & 15u));
                        break;
                    case ChunkType.Sack:
                        BinaryPrimitives.WriteUInt32BigEndian(sequence, _ownTsn - (sequence[3] & 3u));
                        break;
                }

                at += Math.Max(4, (BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(at + 2)) + 3) & ~3);
            }

            SctpWire.WriteChecksum(packet);
            Association.Receive(packet);
            _clock.Advance(TimeSpan.FromMilliseconds(Inputs % 8 == 0 ? 400 : 1));
        }

        private void Note(ReadOnlySpan<byte> packet)
        {
            var chunks = new TlvReader(packet[SctpWire.HeaderLength..]);
            while (chunks.Read())
            {
                if (chunks.ChunkType == ChunkType.Sack)
                {
                    _peerTsn = BinaryPrimitives.ReadUInt32BigEndian(chunks.Value);
                }
                else if (chunks.ChunkType == ChunkType.Data)
                {
                    _ownTsn = BinaryPrimitives.ReadUInt32BigEndian(chunks.Value);
                }
            }
        }
    }
}
