using System.Net;
using System.Text;
using Oriel.WebRtc.Ice;

namespace Oriel.WebRtc.Tests.Ice;

public sealed class IceAgentTests
{
    private static readonly IPEndPoint From = new(IPAddress.Parse("192.0.2.7"), 4000);
    private readonly IceAgent _agent = new();
    private readonly byte[] _response = new byte[512];

    [Fact]
    public void Answer_ValidCheck_GivesTheMappedAddress()
    {
        var length = _agent.Answer(Check(_agent.Local), From, _response, out var check);

        Assert.True(check is { IsValid: true, Nominates: false, IsCurrent: true });
        Assert.True(StunMessage.TryParse(_response.AsSpan(0, length), out var message));
        Assert.Equal(StunMessage.BindingSuccess, message.Type);
        Assert.True(message.VerifyIntegrity(_agent.Local.Key));
    }

    [Fact]
    public void Answer_WrongPasswordOrNoFingerprint_IsSilence()
    {
        Assert.Equal(0, _agent.Answer(Check(new IceCredentials(_agent.Local.Ufrag, "x")), From, _response, out _));
        Assert.Equal(0, _agent.Answer(Check(new IceCredentials("other", _agent.Local.Password)), From, _response, out _));
        Assert.Equal(0, _agent.Answer(Check(_agent.Local, withFingerprint: false), From, _response, out _));
    }

    [Fact]
    public void Answer_ControlledPeer_IsARoleConflict()
    {
        var length = _agent.Answer(Check(_agent.Local, role: StunAttribute.IceControlled), From, _response, out var check);

        Assert.False(check.IsValid);
        Assert.True(StunMessage.TryParse(_response.AsSpan(0, length), out var message));
        Assert.Equal(StunMessage.BindingError, message.Type);
    }

    [Fact]
    public void Nomination_OfANewUdpPath_MovesThere()
    {
        var (first, second) = (new Path(false), new Path(false));
        _agent.OnValidCheck(first, new CheckResult(true, false, true), 1);
        Assert.Same(first, _agent.Selected);
        _agent.OnValidCheck(first, new CheckResult(true, true, true), 2);
        _agent.OnValidCheck(second, new CheckResult(true, false, true), 3);
        Assert.Same(first, _agent.Selected);

        _agent.OnValidCheck(second, new CheckResult(true, true, true), 4);

        Assert.Same(second, _agent.Selected);
    }

    [Fact]
    public void Nomination_OfTcp_WaitsUntilUdpIsSilent()
    {
        var (udp, tcp) = (new Path(false), new Path(true));
        _agent.OnValidCheck(udp, new CheckResult(true, true, true), 0);
        _agent.OnValidCheck(tcp, new CheckResult(true, true, true), 1_000_000);
        Assert.Same(udp, _agent.Selected);

        _agent.OnValidCheck(tcp, new CheckResult(true, true, true), 5_000_000);

        Assert.Same(tcp, _agent.Selected);
    }

    [Fact]
    public void Restart_OldCredentials_HoldUntilTheNewOnesNominate()
    {
        var old = _agent.Local;
        _agent.Restart(new IceCredentials("peer", "secret"));

        Assert.NotEqual(0, _agent.Answer(Check(old), From, _response, out var before));
        Assert.False(before.IsCurrent);
        Assert.NotEqual(0, _agent.Answer(Check(_agent.Local), From, _response, out var current));
        _agent.OnValidCheck(new Path(false), current with { Nominates = true }, 1);

        Assert.Equal(0, _agent.Answer(Check(old), From, _response, out _));
    }

    [Fact]
    public void Expire_SelectedPathWithoutChecks_FallsBackThenEnds()
    {
        var (first, second) = (new Path(false), new Path(false));
        _agent.OnValidCheck(second, new CheckResult(true, false, true), 50);
        _agent.OnValidCheck(first, new CheckResult(true, true, true), 10);

        _agent.Expire(20);
        Assert.Same(second, _agent.Selected);
        Assert.True(first.IsClosed);
        _agent.Expire(60);
        Assert.Null(_agent.Selected);
    }

    [Fact]
    public void Paths_MoreThanTheBound_DropTheOldest()
    {
        var paths = Enumerable.Range(0, 40).Select(_ => new Path(false)).ToList();
        for (var i = 0; i < paths.Count; i++)
        {
            Assert.True(_agent.OnValidCheck(paths[i], new CheckResult(true, i == 0, true), i));
        }

        Assert.Equal(16, _agent.Paths.Count);
        Assert.Same(paths[0], _agent.Selected);
        Assert.True(paths[1].IsClosed);
    }

    [Fact]
    public void TcpFraming_PartsAndWholes_AreToldApart()
    {
        Assert.Equal(FrameResult.Incomplete, TcpFraming.TryRead([0], out _));
        Assert.Equal(FrameResult.Incomplete, TcpFraming.TryRead([0, 2, 1], out _));
        Assert.Equal(FrameResult.Frame, TcpFraming.TryRead([0, 2, 1, 2, 9], out var frame));
        Assert.Equal([1, 2], frame.ToArray());
        Assert.Equal(FrameResult.Invalid, TcpFraming.TryRead([0x10, 0], out _));
    }

    private static byte[] Check(IceCredentials credentials, StunAttribute role = StunAttribute.IceControlling, bool withFingerprint = true)
    {
        var buffer = new byte[256];
        var writer = new StunWriter(buffer, StunMessage.BindingRequest, "0123456789ab"u8);
        writer.Add(StunAttribute.Username, Encoding.ASCII.GetBytes(credentials.Ufrag + ":peer"));
        writer.AddUInt64(role, 1);
        writer.AddUInt32(StunAttribute.Priority, 1);
        writer.AddIntegrity(credentials.Key);
        if (withFingerprint)
        {
            writer.AddFingerprint();
        }

        return buffer[..writer.Length];
    }

    private sealed class Path(bool isTcp) : IcePath
    {
        public bool IsClosed { get; private set; }
        public override IPEndPoint Remote => From;
        public override bool IsTcp => isTcp;

        public override void Send(ReadOnlySpan<byte> packet) { }

        public override void Close() => IsClosed = true;
    }
}
