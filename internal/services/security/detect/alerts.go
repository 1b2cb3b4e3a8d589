package detect

// The alerts that are raised.
var (
	remedyTool = []string{
		"Find out with the account's owner whether this was meant.",
		"If not, isolate the machine, change the account's password and keys, and look at what else its sessions did.",
		"Set the machine up anew from a state known to be good: a kit that ran may have left more than was seen.",
	}
	remedyAccess = []string{
		"Allow sign-ins from known networks only, and by keys rather than passwords.",
		"Change the passwords of the accounts named, and of those that have the same one.",
	}

	maliciousDownload = Alert{"VM_SuspectDownload", "Detected file download from a known malicious source", Medium, "CommandAndControl", []string{"T1105"}, remedyTool}
	fileDownload      = Alert{"VM_SuspectDownloadArtifacts", "Detected suspicious file download", Low, "CommandAndControl", []string{"T1105"}, remedyTool}
	downloadAndRun    = Alert{"VM_DownloadAndRunCombo", "Suspicious download then run activity", Medium, "Execution", []string{"T1105", "T1059.004"}, remedyTool}
	reconnaissance    = Alert{"VM_LinuxReconnaissance", "Local host reconnaissance detected", Medium, "Discovery", []string{"T1082"}, remedyTool}
	speedTest         = Alert{"BH_BandwidthTest", "Bandwidth of the machine measured from a session", Low, "Discovery", []string{"T1016.001"}, remedyTool}
	attackTool        = Alert{"VM_KnownLinuxAttackTool", "Possible attack tool detected", Medium, "Execution", []string{"T1222.002", "T1036.005"}, remedyTool}
	networkGiven      = Alert{"BH_NetworkGiven", "Program was given a network of addresses", Low, "Discovery", []string{"T1046"}, remedyTool}
	portScan          = Alert{"BH_OutgoingPortScan", "Outgoing scan of networks detected", Medium, "Discovery", []string{"T1046"}, remedyTool}
	passwordSpray     = Alert{"BH_OutgoingPasswordSpray", "Outgoing password spray detected", High, "CredentialAccess", []string{"T1110.003"}, remedyTool}
	denialOfService   = Alert{"VM_KnownLinuxDDoSToolkit", "Indicators associated with DDOS toolkit detected", Medium, "Impact", []string{"T1498"}, remedyTool}
	masquerade        = Alert{"VM_SuspectExecutablePath", "Executable found running from a suspicious location", Medium, "DefenseEvasion", []string{"T1036.005"}, remedyTool}
	serviceAccount    = Alert{"BH_ServiceAccountInteractive", "Service account used interactively", Medium, "InitialAccess", []string{"T1078.001"}, remedyAccess}
	kitRemoved        = Alert{"BH_KitRemoved", "Programs that ran were removed together", Medium, "DefenseEvasion", []string{"T1070.004"}, remedyTool}
	resultsRead       = Alert{"BH_ResultsRead", "Output of an attack tool was looked at", Informational, "Collection", []string{"T1005"}, remedyTool}
	newSource         = Alert{"BH_NewSource", "Account signed in from an address not seen before", Informational, "InitialAccess", []string{"T1078"}, remedyAccess}
	bruteForce        = Alert{"BH_SshBruteForceFailed", "Failed SSH brute force attack", Medium, "Probing", []string{"T1110.001"}, remedyAccess}
	bruteForceSuccess = Alert{"BH_SshBruteForceSuccess", "Successful SSH brute force attack", High, "Exploitation", []string{"T1110.001", "T1078"}, remedyAccess}
	incomingSpray     = Alert{"BH_SshPasswordSpray", "Password spray against SSH accounts", Medium, "Probing", []string{"T1110.003"}, remedyAccess}
	distributedGuess  = Alert{"BH_SshDistributedGuessing", "Passwords of an account guessed from many networks", Medium, "Probing", []string{"T1110.001"}, remedyAccess}
	slowGuess         = Alert{"BH_SshSlowGuessing", "Passwords of an account guessed slowly", Low, "Probing", []string{"T1110.001"}, remedyAccess}
	newCountry        = Alert{"BH_NewCountry", "Account signed in from a country not seen before", Low, "InitialAccess", []string{"T1078"}, remedyAccess}
	packedRun         = Alert{"BH_PackedProgramRun", "Packed program run from outside the system's folders", Medium, "DefenseEvasion", []string{"T1027.002"}, remedyTool}
	encodedRun        = Alert{"BH_EncodedProgramRun", "Program whose code is compressed or encrypted run from outside the system's folders", Low, "DefenseEvasion", []string{"T1027.002"}, remedyTool}
	mining            = Alert{"VM_DigitalCurrencyMining", "Digital currency mining related behavior detected", High, "Impact", []string{"T1496"}, remedyTool}
	reverseShell      = Alert{"VM_ReverseShell", "Potential reverse shell detected", Medium, "Exfiltration", []string{"T1059.004"}, remedyTool}
)
