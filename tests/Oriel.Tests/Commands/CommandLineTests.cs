using Oriel.Server.Commands;

namespace Oriel.Tests.Commands;

/// <summary>A wrong command line: one line that names cause and cure, and nothing is done.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("serve --prot 4730", "there is no option '--prot': did you mean --port?")]
    [InlineData("serve --max-desktop=3", "there is no option '--max-desktop': did you mean --max-desktops?")]
    [InlineData("serve --colour", "there is no option '--colour': ./oriel up --help lists what there is.")]
    [InlineData("serve now", "'now' is one word too many: ./oriel up --help lists what there is.")]
    [InlineData("serve --data", "--data needs a value: a folder.")]
    [InlineData("serve --data=", "--data needs a value: a folder.")]
    [InlineData("serve --data --port 4730", "--data needs a value: a folder.")]
    [InlineData("serve --data --prot", "--data needs a value: a folder.")]
    [InlineData("serve --data /etc/hostname", "--data: '/etc/hostname' is a file, not a folder.")]
    [InlineData("serve --port abc", "--port: 'abc' is not a port, 0 to 65535.")]
    [InlineData("serve --port -1", "--port: '-1' is not a port, 0 to 65535.")]
    [InlineData("serve --media-port 65536", "--media-port: '65536' is not a port, 0 to 65535.")]
    [InlineData("serve --port 4001", "--port and --media-port are both 4001: give each its own.")]
    [InlineData("serve --media-port x --keeper", "--keeper needs a value: a file.")]
    [InlineData("serve --port 1 --port 2", "--port is given twice: it takes one value.")]
    [InlineData("serve --driver docker", "--driver: there is no driver 'docker': take auto, firecracker, qemu or container.")]
    [InlineData("serve --bind localhost", "--bind: 'localhost' is not an IP address, such as 127.0.0.1.")]
    [InlineData(
        "serve --public-address 10.0.0.1 --public-address here",
        "--public-address: 'here' is not an IP address, such as 127.0.0.1."
    )]
    [InlineData("serve --max-desktops 0", "--max-desktops: '0' is not a number from 1 to 1000.")]
    [InlineData("serve --warm 33", "--warm: '33' is not a number from 0 to 32.")]
    [InlineData("serve --upstream-allow proxy:0", "--upstream-allow: 'proxy:0' is not HOST:PORT.")]
    [InlineData("serve --egress-allow 10", "--egress-allow: '10' is not a network, such as 10.0.0.0/8.")]
    [InlineData("serve --egress-host name", "--egress-host: 'name' is not NAME=ADDRESS.")]
    [InlineData("serve --egress-host name=other", "--egress-host: 'other' is not an IP address, such as 127.0.0.1.")]
    [InlineData("serve --cert /etc/hostname", "--cert and --key go together: give both or neither.")]
    [InlineData("serve --cert /nowhere/a.pem --key /etc/hostname", "--cert: there is no file '/nowhere/a.pem'.")]
    [InlineData("serve --web /nowhere", "--web: there is no folder '/nowhere'.")]
    [InlineData("serve --keeper /nowhere/keeper", "--keeper: there is no file '/nowhere/keeper'.")]
    [InlineData("token --new-signing", "there is no option '--new-signing': did you mean --new-signin?")]
    [InlineData("down --force", "there is no option '--force': ./oriel down --help lists what there is.")]
    [InlineData("doctor --port many", "--port: 'many' is not a port, 0 to 65535.")]
    [InlineData("image", "./oriel image needs a command: build, test, warm, list, verify, rm.")]
    [InlineData("image buidl", "there is no command 'buidl': did you mean build?")]
    [InlineData("image build", "./oriel image build needs <recipe>: Folder of the recipe, images/desktop.")]
    [InlineData("image build /nowhere", "recipe: there is no folder '/nowhere'.")]
    [InlineData("image list --dat /tmp", "there is no option '--dat': did you mean --data?")]
    [InlineData("image list --driver docker", "--driver: there is no driver 'docker': take auto, firecracker, qemu or container.")]
    [InlineData("image rm", "./oriel image rm needs <image>: Name or digest.")]
    [InlineData("sevre", "there is no command 'sevre': did you mean serve?")]
    public async Task RunAsync_WrongCommandLine_IsRefusedInOneLine(string line, string problem)
    {
        var errors = new StringWriter();

        Assert.Equal(OrielCommands.Refused, await OrielCommands.RunAsync(line.Split(' '), errors));
        Assert.Equal($"oriel: {problem}\n", errors.ToString());
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("serve --port 0 --media-port 0")]
    [InlineData("serve --port=4730 --bind ::1 --driver qemu --max-desktops 1000 --warm 0")]
    [InlineData(
        "serve --public-address 10.0.0.1 --public-address fe80::1 --host a --host b --egress-allow 10.0.0.0/8 --egress-host a=10.0.0.1 --egress-host b=10.0.0.2"
    )]
    [InlineData("serve --cert /etc/hostname --key /etc/hostname --data /nowhere/yet --images /nowhere/images --web /tmp")]
    [InlineData("image list --data /nowhere/yet --json")]
    [InlineData("image verify")]
    [InlineData("image verify desktop")]
    [InlineData("image warm --template a --template b --data /nowhere/yet")]
    [InlineData("serve --help --prot")]
    [InlineData("--version")]
    public void Problem_RightCommandLine_IsNone(string line) =>
        Assert.Null(OrielCommands.Problem(OrielCommands.Create().Parse(line.Split(' '))));
}
