using './demo.bicep'

param sshPublicKey = ''
param packageUrl = ''
param packageSha256 = ''
