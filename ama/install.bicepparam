using './install.bicep'

param machineIds = []
param packageUrl = ''
param packageSha256 = ''
