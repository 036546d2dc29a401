using System.Text;
using Oriel.WebRtc.Sctp;

namespace Oriel.WebRtc.Tests.Sctp;

public sealed class SctpAssociationTests
{
    [Fact]
    public void Start_FromOneSide_EstablishesBoth()
    {
        using var pair = new SctpPair();
        pair.Connect();
        Assert.Equal(4, pair.Sent);
    }

    [Fact]
    public void Start_FromBothSidesAtOnce_EstablishesOneAssociation()
    {
        using var pair = new SctpPair();
        pair.Server.Start();
        pair.Connect();
        var channel = pair.Client.OpenChannel("input");
        Assert.True(channel.TrySend("hello"u8, text: true));
        pair.RunUntil(() => pair.Opened.Count == 1, 5);
    }

    [Fact]
    public void Start_OverLossyLink_EstablishesByRetries()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            using var pair = new SctpPair(seed)
            {
                Loss = 0.3,
                Jitter = 30,
                Duplication = 0.2,
            };
            pair.Connect();
        }
    }

    [Fact]
    public void Start_WithoutAnswer_EndsWithReason()
    {
        using var pair = new SctpPair { Loss = 1 };
        pair.Client.Start();
        pair.RunUntil(() => pair.ClientEnd is not null, 120);
        Assert.Equal("the peer does not answer", pair.ClientEnd);
    }

    [Fact]
    public void OpenChannel_BeforeEstablished_ArrivesWithItsParameters()
    {
        using var pair = new SctpPair();
        var channel = pair.Client.OpenChannel("pointer", ordered: false, maxRetransmits: 0, protocol: "p1");
        pair.Connect();
        pair.RunUntil(() => pair.Opened.Count == 1, 5);
        var opened = pair.Opened[0];
        Assert.Equal(
            ("pointer", "p1", false, 0, channel.Id),
            (opened.Label, opened.Protocol, opened.Ordered, opened.MaxRetransmits, opened.Id)
        );
        Assert.Equal(0, channel.Id % 2);
        Assert.Equal(1, pair.Server.OpenChannel("back").Id % 2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1163)]
    [InlineData(1164)]
    [InlineData(262144)]
    public void TrySend_AnySize_ArrivesWhole(int size)
    {
        using var pair = new SctpPair().Connect();
        var data = new byte[size];
        new Random(size).NextBytes(data);
        byte[]? received = null;
        pair.Server.ChannelOpened += opened => opened.MessageReceived += (message, text) => received = text ? null : message.ToArray();
        Assert.True(pair.Client.OpenChannel("c").TrySend(data, text: false));
        pair.RunUntil(() => received is not null, 30);
        Assert.Equal(data, received);
    }

    [Fact]
    public void TrySend_OverLossyReorderingLink_KeepsOrderAndContent()
    {
        for (var seed = 0; seed < 10; seed++)
        {
            using var pair = new SctpPair(seed)
            {
                Loss = 0.1,
                Jitter = 20,
                Duplication = 0.05,
                Delay = 10,
            };
            pair.Connect();
            var received = new List<string>();
            pair.Server.ChannelOpened += opened =>
                opened.MessageReceived += (message, _) => received.Add(Encoding.UTF8.GetString(message.Span));
            var channel = pair.Client.OpenChannel("c");
            var sent = Enumerable.Range(0, 200).Select(i => $"{i} " + new string('x', i * 37 % 5000)).ToList();
            foreach (var one in sent)
            {
                Assert.True(channel.TrySend(Encoding.UTF8.GetBytes(one), text: true));
            }

            pair.RunUntil(() => received.Count == sent.Count, 300);
            Assert.Equal(sent, received);
            Assert.Equal(0, channel.BufferedAmount);
        }
    }

    [Fact]
    public void TrySend_BothWaysOverLossyLink_Arrives()
    {
        using var pair = new SctpPair(5) { Loss = 0.05, Jitter = 10 };
        pair.Connect();
        var echoed = 0;
        pair.Server.ChannelOpened += opened => opened.MessageReceived += (message, text) => Assert.True(opened.TrySend(message.Span, text));
        var channel = pair.Client.OpenChannel("echo");
        channel.MessageReceived += (_, _) => echoed++;
        for (var i = 0; i < 300; i++)
        {
            channel.TrySend(new byte[1 + (i * 31 % 3000)], text: false);
        }

        pair.RunUntil(() => echoed == 300, 300);
    }

    [Fact]
    public void TrySend_UnorderedWithoutRetransmits_SkipsWhatIsLost()
    {
        using var pair = new SctpPair(3).Connect();
        var received = new List<int>();
        pair.Server.ChannelOpened += opened => opened.MessageReceived += (message, _) => received.Add(BitConverter.ToInt32(message.Span));
        var channel = pair.Client.OpenChannel("pointer", ordered: false, maxRetransmits: 0);
        pair.RunUntil(() => pair.Opened.Count == 1, 5);
        pair.Run(1);
        pair.Loss = 0.2;
        for (var i = 0; i < 500; i++)
        {
            channel.TrySend(BitConverter.GetBytes(i), text: false);
            pair.Run(0.008);
        }

        pair.Loss = 0;
        channel.TrySend(BitConverter.GetBytes(500), text: false);
        pair.RunUntil(() => received.Contains(500), 20);
        Assert.InRange(received.Count, 350, 450);
        Assert.Equal(received.Count, received.Distinct().Count());
        var reliable = pair.Client.OpenChannel("input");
        reliable.TrySend("x"u8, text: true);
        pair.RunUntil(() => pair.Opened.Count == 2 && reliable.BufferedAmount == 0, 20);
        Assert.Null(pair.ServerEnd);
    }

    [Fact]
    public void TrySend_OrderedWithLifetime_GivesUpAndGoesOn()
    {
        using var pair = new SctpPair(4).Connect();
        var received = new List<string>();
        pair.Server.ChannelOpened += opened =>
            opened.MessageReceived += (message, _) => received.Add(Encoding.UTF8.GetString(message.Span));
        var channel = pair.Client.OpenChannel("c", maxLifetime: TimeSpan.FromMilliseconds(100));
        channel.TrySend("first"u8, text: true);
        pair.RunUntil(() => received.Count == 1, 5);
        pair.Loss = 1;
        channel.TrySend(new byte[30_000], text: false);
        pair.Run(2);
        pair.Loss = 0;
        channel.TrySend("last"u8, text: true);
        pair.RunUntil(() => received.Count == 2, 30);
        Assert.Equal(["first", "last"], received);
    }

    [Fact]
    public void TrySend_BeyondSendBuffer_IsRefusedThenAcceptedAgain()
    {
        var options = new SctpOptions { SendBuffer = 100_000 };
        using var pair = new SctpPair(1, client: options).Connect();
        var channel = pair.Client.OpenChannel("c");
        Assert.True(channel.TrySend(new byte[60_000], text: false));
        Assert.False(channel.TrySend(new byte[60_000], text: false));
        pair.Run(5);
        Assert.True(channel.TrySend(new byte[60_000], text: false));
    }

    [Fact]
    public void Receive_MessageLongerThanMaximum_AbortsTheAssociation()
    {
        using var pair = new SctpPair(1, server: new SctpOptions { MaxMessageSize = 10_000 }).Connect();
        pair.Client.OpenChannel("c").TrySend(new byte[20_000], text: false);
        pair.RunUntil(() => pair.ServerEnd is not null && pair.ClientEnd is not null, 10);
        Assert.Contains("MessageTooLong", pair.ServerEnd, StringComparison.Ordinal);
        Assert.Equal("aborted by the peer", pair.ClientEnd);
    }

    [Fact]
    public void Close_ByEitherSide_ClosesBothAndFreesTheId()
    {
        using var pair = new SctpPair().Connect();
        for (var round = 0; round < 3; round++)
        {
            var closed = 0;
            var channel = pair.Client.OpenChannel("c" + round);
            channel.Closed += () => closed++;
            pair.RunUntil(() => pair.Opened.Count == round + 1, 5);
            pair.Opened[round].Closed += () => closed++;
            (round % 2 == 0 ? channel : pair.Opened[round]).Close();
            pair.RunUntil(() => closed == 2, 5);
            pair.Run(1);
            Assert.False(channel.TrySend("x"u8, text: true));
            Assert.Equal(0, channel.Id);
        }
    }

    [Fact]
    public void Close_WithQueuedData_DeliversItFirst()
    {
        using var pair = new SctpPair(2) { Loss = 0.05 };
        pair.Connect();
        long bytes = 0;
        var closed = false;
        pair.Server.ChannelOpened += opened =>
        {
            opened.MessageReceived += (message, _) => bytes += message.Length;
            opened.Closed += () => closed = true;
        };
        var channel = pair.Client.OpenChannel("c");
        channel.TrySend(new byte[200_000], text: false);
        channel.Close();
        pair.RunUntil(() => closed, 60);
        Assert.Equal(200_000, bytes);
    }

    [Fact]
    public void Shutdown_WithQueuedData_DeliversThenEndsBoth()
    {
        using var pair = new SctpPair(6) { Loss = 0.05 };
        pair.Connect();
        long bytes = 0;
        pair.Server.ChannelOpened += opened => opened.MessageReceived += (message, _) => bytes += message.Length;
        var channel = pair.Client.OpenChannel("c");
        channel.TrySend(new byte[100_000], text: false);
        pair.Client.Shutdown();
        pair.RunUntil(() => pair.ClientEnd is not null && pair.ServerEnd is not null, 60);
        Assert.Equal(100_000, bytes);
        Assert.True(channel.IsClosed);
    }

    [Fact]
    public void Dispose_Established_AbortsThePeer()
    {
        using var pair = new SctpPair().Connect();
        pair.Client.Dispose();
        pair.RunUntil(() => pair.ServerEnd is not null, 5);
        Assert.Equal("aborted by the peer", pair.ServerEnd);
    }

    [Fact]
    public void Heartbeat_PeerSilent_EndsAfterTheLimit()
    {
        using var pair = new SctpPair(
            1,
            client: new SctpOptions { HeartbeatInterval = TimeSpan.FromSeconds(1), MaxRetransmissions = 3 }
        ).Connect();
        pair.Run(5);
        Assert.Null(pair.ClientEnd);
        pair.Loss = 1;
        pair.RunUntil(() => pair.ClientEnd is not null, 30);
    }

    [Fact]
    public void CongestionWindow_CleanLink_GrowsAndFillsIt()
    {
        using var pair = new SctpPair { Delay = 20 };
        pair.Connect();
        long bytes = 0;
        pair.Server.ChannelOpened += opened => opened.MessageReceived += (message, _) => bytes += message.Length;
        var channel = pair.Client.OpenChannel("c");
        for (var i = 0; i < 8; i++)
        {
            Assert.True(channel.TrySend(new byte[250_000], text: false));
        }

        pair.RunUntil(() => bytes == 2_000_000, 5);
    }
}
