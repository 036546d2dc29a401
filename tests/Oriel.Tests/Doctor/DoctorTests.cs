using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Oriel.Linux.Kvm;
using Oriel.Server.Commands;
using Oriel.Server.Commands.Doctor;

namespace Oriel.Tests.Doctor;

public sealed class DoctorTests
{
    [Fact]
    public void Port_Taken_WarnsAndNamesIt()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var finding = HostChecks.Port("HTTP port", port, udp: false);
        Assert.Equal(DoctorOutcome.Warn, finding.Outcome);
        Assert.Contains(port.ToString(), finding.Seen);
        Assert.Contains("--port", finding.Mend);
    }

    [Fact]
    public void Image_EmptyStore_SaysWhatBuildsOne()
    {
        var data = Directory.CreateTempSubdirectory("oriel-doctor-").FullName;
        try
        {
            Assert.Contains("./oriel up", DataChecks.Image(data).Mend);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task RunAsync_ProgramThatHangs_EndsAtTheDeadline()
    {
        var result = await HostProbe.RunAsync(
            TimeSpan.FromMilliseconds(200),
            TestContext.Current.CancellationToken,
            "tail",
            "-f",
            "/dev/null"
        );
        Assert.Equal(-1, result.ExitCode);
        Assert.Contains("did not end", result.Output);
    }

    [Fact]
    public async Task RunAsync_ProgramThatIsNotThere_SaysSo()
    {
        var result = await HostProbe.RunAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken, "oriel-no-such-program");
        Assert.Equal((-1, "oriel-no-such-program is not installed"), (result.ExitCode, result.Output));
    }

    [Fact]
    public void TryKvm_NoDevice_GivesTheReason() => Assert.Contains("/nowhere/kvm", KvmProbe.Try("/nowhere/kvm"));

    [Fact]
    public void TryKvm_AnotherDevice_GivesTheStepThatFailed() => Assert.Contains("KVM_GET_API_VERSION", KvmProbe.Try("/dev/null"));

    [Fact]
    public void WriteJson_Findings_AreAnArrayOfNameOutcomeSeenMend()
    {
        var stream = new MemoryStream();
        DoctorCommand.WriteJson([DoctorFinding.Fail("disk", "0.1 GiB", "make room"), DoctorFinding.Ok("crun", "1.8")], stream);
        using var document = JsonDocument.Parse(stream.ToArray());
        Assert.Equal("fail", document.RootElement[0].GetProperty("outcome").GetString());
        Assert.Equal("make room", document.RootElement[0].GetProperty("mend").GetString());
        Assert.Equal(JsonValueKind.Null, document.RootElement[1].GetProperty("mend").ValueKind);
    }
}
