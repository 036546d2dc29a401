using Oriel.Agent.Attestation;
using Oriel.Agent.Boot;
using Oriel.Agent.Configuration;
using Oriel.Agent.Display;
using Oriel.Agent.Exec;
using Oriel.Agent.Files;
using Oriel.Agent.Service;
using Oriel.Agent.Session;
using Oriel.Linux.Processes;

if (ChildBootstrap.RunIfRequested(args))
{
    return 127;
}

using var guest = GuestBoot.Start();
if (guest is null)
{
    return 1;
}

// Empty: the other builders look for appsettings.json below the working directory and watch it for changes, and that is the whole disk
// here.
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.AddGuestHosting(guest);
builder.Services.AddDesktopSession();
builder.Services.AddConfiguration();
builder.Services.AddExec();
builder.Services.AddFiles();
builder.Services.AddAttestation();
builder.Services.AddDisplay();

var app = builder.Build();
app.UseAgentProof();
app.MapGrpcService<GuestService>();
app.MapDisplay();
return await guest.RunAsync(app);
